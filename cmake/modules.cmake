# One call a module: asof_module() in asof/<module>/CMakeLists.txt makes
#   - the library asof_<module> from every .cc beside it (and in internal/),
#   - the test asof_<module>_test from every *_test.cc beside it.
# What it may include and link is read from the layer table.

function(asof_module)
  cmake_parse_arguments(arg "" "" "TEST_LIBRARIES" ${ARGN})
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT folder IN_LIST ASOF_LAYERS)
    message(FATAL_ERROR "${folder} has no line in cmake/layers.cmake")
  endif()
  string(REPLACE "/" "_" name "${folder}")
  file(GLOB sources CONFIGURE_DEPENDS *.cc internal/*.cc)
  file(GLOB tests CONFIGURE_DEPENDS *_test.cc internal/*_test.cc)
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz|main)\\.cc$")

  set(scope PUBLIC)
  if(sources)
    add_library(${name} STATIC ${sources})
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${name} ${scope} cxx_std_20)
  foreach(dependency IN LISTS ASOF_INCLUDES_${name})
    # The table also names the modules of later issues (agg, log, ingest): their lines wait for their folders.
    if(EXISTS ${PROJECT_SOURCE_DIR}/${dependency}/CMakeLists.txt)
      string(REPLACE "/" "_" target "${dependency}")
      target_link_libraries(${name} ${scope} ${target})
    endif()
  endforeach()
  foreach(library IN LISTS ASOF_LIBRARIES_${name})
    # A library is an implementation detail of its module: only the link line travels on.
    if(sources)
      target_link_libraries(${name} PRIVATE asof_3p_${library})
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY ASOF_TARGETS ${name})

  if(tests AND ASOF_TESTS)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} GTest::gmock_main ${arg_TEST_LIBRARIES})
    foreach(library IN LISTS ASOF_LIBRARIES_${name})
      target_link_libraries(${name}_test PRIVATE asof_3p_${library})
    endforeach()
    asof_discover_tests(${name}_test)
  endif()
endfunction()

# Registers every gtest case with ctest, found when ctest starts so that a build never runs anything.
function(asof_discover_tests target)
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600
                       WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()
