# schattor_find_wheel(<distribution> <file>): ask Python where an installed wheel keeps one of its files.
#
# The wheels' directories are on no search path of CMake, and importing some of them has side effects, so their
# metadata is asked. Sets SCHATTOR_WHEEL_FILE, SCHATTOR_WHEEL_VERSION and SCHATTOR_WHEEL_LICENSE in the caller's
# scope; all are empty if the wheel is not installed or lacks the file.

set(SCHATTOR_WHEEL_QUERY [=[
import importlib.metadata, sys
distribution = importlib.metadata.distribution(sys.argv[1])
files = distribution.files
where = lambda found: next((f.locate().resolve().as_posix() for f in files if found(f)), "")
print(where(lambda f: f.as_posix().endswith(sys.argv[2])))
print(distribution.version)
print(where(lambda f: ".dist-info" in f.parts[0] and f.name.startswith("LICENSE")))
]=])

function(schattor_find_wheel distribution file)
  set(_answer ";;")
  if(Python_Interpreter_FOUND)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c "${SCHATTOR_WHEEL_QUERY}" "${distribution}" "${file}"
      OUTPUT_VARIABLE _output
      RESULT_VARIABLE _status
      ERROR_QUIET)
    if(_status EQUAL 0)
      string(REPLACE "\n" ";" _answer "${_output}")
    endif()
  endif()
  list(GET _answer 0 _file)
  list(GET _answer 1 _version)
  list(GET _answer 2 _license)
  set(SCHATTOR_WHEEL_FILE "${_file}" PARENT_SCOPE)
  set(SCHATTOR_WHEEL_VERSION "${_version}" PARENT_SCOPE)
  set(SCHATTOR_WHEEL_LICENSE "${_license}" PARENT_SCOPE)
endfunction()
