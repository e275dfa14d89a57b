# What goes into the wheel: the extension module, the bundled BLAS beside it, and the licences of others.

install(TARGETS _core DESTINATION schattor/_edge COMPONENT python)

if(SCHATTOR_BLAS_RUNTIME_LIB)
  if(WIN32)
    set(_blas_destination schattor/_edge) # Windows looks for a DLL in the directory of the module
  else()
    set(_blas_destination schattor/_edge/.libs)
    if(APPLE)
      set_target_properties(_core PROPERTIES INSTALL_RPATH "@loader_path/.libs")
    else()
      set_target_properties(_core PROPERTIES INSTALL_RPATH "$ORIGIN/.libs")
    endif()
  endif()
  install(FILES ${SCHATTOR_BLAS_RUNTIME_LIB} DESTINATION ${_blas_destination} COMPONENT python)
  install(FILES "${SCHATTOR_BLAS_LICENSE}" DESTINATION ${_blas_destination} RENAME LICENSE-OpenBLAS.txt
          COMPONENT python)
endif()

if(DEFINED SKBUILD_METADATA_DIR)
  set(_licenses "${SKBUILD_METADATA_DIR}/licenses")
  if(SCHATTOR_BLAS_LICENSE)
    install(FILES "${SCHATTOR_BLAS_LICENSE}" DESTINATION "${_licenses}" RENAME LICENSE-OpenBLAS.txt COMPONENT python)
  endif()
  schattor_find_wheel(pybind11 pybind11/__init__.py)
  if(SCHATTOR_WHEEL_LICENSE)
    install(FILES "${SCHATTOR_WHEEL_LICENSE}" DESTINATION "${_licenses}" RENAME LICENSE-pybind11.txt COMPONENT python)
  endif()
endif()
