# Warnings, sanitizers, ccache and mold: what every target is compiled with.

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms of g++ 12 at -O2 and above, inside the standard library (GCC bugs 105329, 105651, 107852).
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict> -Wno-stringop-overflow -Wno-array-bounds
                      -Wno-maybe-uninitialized $<$<COMPILE_LANGUAGE:CXX>:-Wno-dangling-pointer>)
endif()
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_compile_options(-march=x86-64-v2)
endif()

if(ASOF_SANITIZE)
  add_compile_options(-fsanitize=${ASOF_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1)
  # A sanitizer's dlopen looks where the program itself may only with an rpath of the old kind.
  add_link_options(-fsanitize=${ASOF_SANITIZE} -Wl,--disable-new-dtags)
endif()

find_program(ASOF_CCACHE ccache)
if(ASOF_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ASOF_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${ASOF_CCACHE})
endif()
find_program(ASOF_MOLD mold)
if(ASOF_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Programs stand together in bin/. One that is copied next to its libraries finds them there.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_BUILD_RPATH "$ORIGIN")

# Every module may format; fmt comes as headers alone, as Debian ships no archive of it.
add_compile_definitions(FMT_HEADER_ONLY=1)
