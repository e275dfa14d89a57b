# schattor::compiler: what every target of the project is compiled with.

add_library(schattor_compiler INTERFACE)
add_library(schattor::compiler ALIAS schattor_compiler)
target_compile_features(schattor_compiler INTERFACE cxx_std_20)

if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  # No -ffast-math: NaN, Inf and the order of sums are part of the contract. These two change no result; they
  # let sqrt and comparisons be vectorised, since nobody here reads errno or traps floating-point exceptions.
  target_compile_options(schattor_compiler INTERFACE -fno-math-errno -fno-trapping-math)
  target_compile_options(schattor_compiler INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor)
  if(SCHATTOR_WERROR)
    target_compile_options(schattor_compiler INTERFACE -Werror)
  endif()
  if(SCHATTOR_NATIVE)
    target_compile_options(schattor_compiler INTERFACE -march=native)
  endif()
elseif(MSVC)
  target_compile_options(schattor_compiler INTERFACE /W4 /permissive- /utf-8)
  target_compile_definitions(schattor_compiler INTERFACE _USE_MATH_DEFINES NOMINMAX)
  if(SCHATTOR_WERROR)
    target_compile_options(schattor_compiler INTERFACE /WX)
  endif()
endif()

if(SCHATTOR_SANITIZE)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    message(FATAL_ERROR "SCHATTOR_SANITIZE needs GCC or Clang")
  endif()
  string(REPLACE ";" "," _sanitizers "${SCHATTOR_SANITIZE}")
  set(_sanitize_flags "-fsanitize=${_sanitizers}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(schattor_compiler INTERFACE ${_sanitize_flags} -g)
  target_compile_definitions(schattor_compiler INTERFACE _GLIBCXX_ASSERTIONS) # checks the indices of containers
  target_link_options(schattor_compiler INTERFACE ${_sanitize_flags})
endif()

find_package(Threads REQUIRED)
target_link_libraries(schattor_compiler INTERFACE Threads::Threads)
