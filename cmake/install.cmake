# What `cmake --install` puts where, and what find_package(asof) finds there.
#
#   bin/asof                       the program; it finds libduckdb.so at $ORIGIN/../lib
#   lib/libasof_*.a, libduckdb.so  the modules that asof/client is made of
#   include/asof/**.h              their public headers
#   lib/cmake/asof                 asofConfig.cmake: the target asof::asof
include(CMakePackageConfigHelpers)

set(ASOF_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/asof)

# The apps and what only they link are no part of the library.
get_property(ASOF_INSTALLED_TARGETS GLOBAL PROPERTY ASOF_TARGETS)
list(FILTER ASOF_INSTALLED_TARGETS EXCLUDE REGEX "^apps_|_testing$|^asof_3p_(cli11|simdjson|nanoarrow)$")
foreach(target IN LISTS ASOF_INSTALLED_TARGETS)
  if(NOT TARGET ${target})
    list(REMOVE_ITEM ASOF_INSTALLED_TARGETS ${target})
  endif()
endforeach()

install(TARGETS ${ASOF_INSTALLED_TARGETS} EXPORT asofTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        COMPONENT development)
install(EXPORT asofTargets NAMESPACE asof:: DESTINATION ${ASOF_CMAKE_FOLDER} COMPONENT development)
install(DIRECTORY asof/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/asof COMPONENT development
        FILES_MATCHING PATTERN "*.h" PATTERN internal EXCLUDE PATTERN testing EXCLUDE)
install(FILES ${ASOF_THIRD_PARTY}/duckdb/lib/libduckdb.so DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET asof)
  set_target_properties(asof PROPERTIES INSTALL_RPATH "$ORIGIN:$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS asof RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(cmake/asofConfig.cmake.in ${PROJECT_BINARY_DIR}/asofConfig.cmake
                              INSTALL_DESTINATION ${ASOF_CMAKE_FOLDER} PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/asofConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/asofConfig.cmake ${PROJECT_BINARY_DIR}/asofConfigVersion.cmake
        DESTINATION ${ASOF_CMAKE_FOLDER} COMPONENT development)
