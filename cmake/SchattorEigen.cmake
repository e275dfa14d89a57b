# schattor::eigen: Eigen's headers, from the cmeel-eigen wheel or else from the system.

schattor_find_wheel(cmeel-eigen /Eigen/Core)
add_library(schattor_eigen INTERFACE)
add_library(schattor::eigen ALIAS schattor_eigen)
if(SCHATTOR_WHEEL_FILE)
  cmake_path(GET SCHATTOR_WHEEL_FILE PARENT_PATH _eigen_include) # <include>/Eigen
  cmake_path(GET _eigen_include PARENT_PATH _eigen_include)
  target_include_directories(schattor_eigen SYSTEM INTERFACE "${_eigen_include}")
  message(STATUS "Eigen: ${_eigen_include}")
else()
  find_package(Eigen3 3.4 CONFIG QUIET)
  if(NOT Eigen3_FOUND)
    message(FATAL_ERROR "Eigen was not found: install the Python package cmeel-eigen or the system's Eigen 3.4 headers "
                        "(libeigen3-dev)")
  endif()
  target_link_libraries(schattor_eigen INTERFACE Eigen3::Eigen)
  message(STATUS "Eigen: ${Eigen3_DIR} (${Eigen3_VERSION})")
endif()
# Threads are the core's business, and only the MPL-2 part of Eigen may be used.
target_compile_definitions(schattor_eigen INTERFACE EIGEN_DONT_PARALLELIZE EIGEN_MPL2_ONLY)
