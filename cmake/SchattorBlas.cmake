# schattor::blas: BLAS and LAPACK with 32-bit integers, and what the core must know about them.
#
#   SCHATTOR_F77_PREFIX     put before every Fortran name (scipy_dgemm_), empty for a system BLAS
#   SCHATTOR_HAVE_GEMMT     defined if sgemmt and dgemmt exist
#   SCHATTOR_HAVE_OPENBLAS  defined if <prefix>openblas_set_num_threads and its relatives exist
#   SCHATTOR_BLAS_NAME      a name to print
#
# Also sets SCHATTOR_BLAS_RUNTIME_LIB and SCHATTOR_BLAS_LICENSE: the files that a wheel has to carry.

set(SCHATTOR_BLAS_RUNTIME_LIB "")
set(SCHATTOR_BLAS_LICENSE "")
set(_blas_definitions "")

if(SCHATTOR_BLAS STREQUAL "bundled")
  schattor_find_wheel(scipy-openblas32 scipy_openblas32/__init__.py)
  if(NOT SCHATTOR_WHEEL_FILE)
    message(FATAL_ERROR "SCHATTOR_BLAS=bundled needs a Python that has scipy-openblas32 installed (Python_EXECUTABLE is "
                        "\"${Python_EXECUTABLE}\"); SCHATTOR_BLAS=system uses the system's BLAS instead")
  endif()
  cmake_path(GET SCHATTOR_WHEEL_FILE PARENT_PATH _openblas_root)
  set(SCHATTOR_BLAS_LICENSE "${SCHATTOR_WHEEL_LICENSE}")
  set(SCHATTOR_BLAS_NAME "scipy-openblas32 ${SCHATTOR_WHEEL_VERSION}")

  # Searched anew each time: an isolated build has a new directory, and a cached path would point into the old one.
  unset(SCHATTOR_OPENBLAS_LIB CACHE)
  find_library(SCHATTOR_OPENBLAS_LIB NAMES scipy_openblas libscipy_openblas PATHS "${_openblas_root}/lib"
               NO_DEFAULT_PATH REQUIRED)
  if(WIN32)
    file(GLOB SCHATTOR_BLAS_RUNTIME_LIB "${_openblas_root}/lib/*.dll")
  else()
    set(SCHATTOR_BLAS_RUNTIME_LIB "${SCHATTOR_OPENBLAS_LIB}")
  endif()
  set(_blas_libraries "${SCHATTOR_OPENBLAS_LIB}")
  list(APPEND _blas_definitions SCHATTOR_F77_PREFIX=scipy_ SCHATTOR_HAVE_GEMMT=1 SCHATTOR_HAVE_OPENBLAS=1)
elseif(SCHATTOR_BLAS STREQUAL "system")
  set(BLA_SIZEOF_INTEGER 4)
  find_package(BLAS REQUIRED)
  find_package(LAPACK REQUIRED)
  set(_blas_libraries LAPACK::LAPACK BLAS::BLAS)
  list(GET BLAS_LIBRARIES 0 _first_library)
  cmake_path(GET _first_library FILENAME _first_library)
  set(SCHATTOR_BLAS_NAME "system ${_first_library}")
  list(APPEND _blas_definitions SCHATTOR_F77_PREFIX=)

  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_LIBRARIES ${_blas_libraries})
  check_cxx_source_compiles("extern \"C\" { void dgemmt_(); void sgemmt_(); } int main() { dgemmt_(); sgemmt_(); }"
                            SCHATTOR_SYSTEM_HAS_GEMMT)
  check_cxx_source_compiles(
    "extern \"C\" { void openblas_set_num_threads(int); int openblas_get_num_threads(); char* openblas_get_config(); }
     int main() { openblas_set_num_threads(openblas_get_num_threads()); return openblas_get_config() == nullptr; }"
    SCHATTOR_SYSTEM_HAS_OPENBLAS)
  unset(CMAKE_REQUIRED_LIBRARIES)
  if(SCHATTOR_SYSTEM_HAS_GEMMT)
    list(APPEND _blas_definitions SCHATTOR_HAVE_GEMMT=1)
  endif()
  if(SCHATTOR_SYSTEM_HAS_OPENBLAS)
    list(APPEND _blas_definitions SCHATTOR_HAVE_OPENBLAS=1)
  endif()
else()
  message(FATAL_ERROR "SCHATTOR_BLAS is \"${SCHATTOR_BLAS}\"; it must be \"bundled\" or \"system\"")
endif()

add_library(schattor_blas INTERFACE)
add_library(schattor::blas ALIAS schattor_blas)
target_link_libraries(schattor_blas INTERFACE ${_blas_libraries})
target_compile_definitions(schattor_blas INTERFACE ${_blas_definitions} "SCHATTOR_BLAS_NAME=\"${SCHATTOR_BLAS_NAME}\"")
