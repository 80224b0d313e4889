# SPDX-License-Identifier: MIT
# Run by ctest, see layer_rule.cmake. The layer's own headers must compile (else the test could
# pass for the wrong reason), and including any header of a FORBIDDEN layer must fail for just one
# reason: the compiler finds no such file.
string(REPLACE ":" ";" paths "${INCLUDE_PATH}")
list(TRANSFORM paths PREPEND -I)
file(MAKE_DIRECTORY ${SCRATCH})

function(try_include header ret_status ret_complaint)
  file(WRITE ${SCRATCH}/probe.c "#include \"${header}\"\n")
  execute_process(
    COMMAND ${COMPILER} -std=c17 -D_GNU_SOURCE= -fsyntax-only ${paths} ${SCRATCH}/probe.c
    RESULT_VARIABLE status
    OUTPUT_QUIET ERROR_VARIABLE complaint)
  set(${ret_status} ${status} PARENT_SCOPE)
  set(${ret_complaint} "${complaint}" PARENT_SCOPE)
endfunction()

file(GLOB own RELATIVE ${SOURCE} ${SOURCE}/${LAYER}/*.h)
foreach(header ${own})
  try_include(${header} status complaint)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${LAYER} cannot include its own ${header}:\n${complaint}")
  endif()
endforeach()

foreach(layer ${FORBIDDEN})
  file(GLOB headers RELATIVE ${SOURCE} ${SOURCE}/${layer}/*.h)
  foreach(header ${headers})
    try_include(${header} status complaint)
    if(status EQUAL 0)
      message(FATAL_ERROR "${LAYER} can include ${header}, which is not below it")
    endif()
    if(NOT complaint MATCHES "${header}: No such file|'${header}' file not found")
      message(FATAL_ERROR "${header} fails for another reason than its layer:\n${complaint}")
    endif()
    message(STATUS "${LAYER} cannot include ${header}")
  endforeach()
endforeach()
