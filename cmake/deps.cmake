# Every third-party library, once. Each becomes asof_3p_<name>, the name that cmake/layers.cmake uses.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
if(ASOF_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

set(ASOF_THIRD_PARTY ${PROJECT_SOURCE_DIR}/third_party CACHE PATH "What tools/setup.sh fetched")

# asof_third_party(<name> <link items>...)
function(asof_third_party name)
  add_library(asof_3p_${name} INTERFACE)
  target_link_libraries(asof_3p_${name} INTERFACE ${ARGN})
  set_property(GLOBAL APPEND PROPERTY ASOF_TARGETS asof_3p_${name})
endfunction()

# Linked statically where Debian ships an archive, so that a download needs nothing installed.
function(asof_static_library name archive header)
  find_library(ASOF_ARCHIVE_${name} ${archive} REQUIRED)
  find_path(ASOF_HEADER_${name} ${header} REQUIRED)
  asof_third_party(${name} ${ASOF_ARCHIVE_${name}} ${ARGN})
endfunction()

asof_third_party(threads Threads::Threads)
asof_third_party(nlohmann_json nlohmann_json::nlohmann_json)
asof_third_party(cli11 CLI11::CLI11)
asof_third_party(fmt fmt::fmt-header-only)  # Debian ships no archive of it
asof_static_library(xxhash libxxhash.a xxhash.h)
asof_static_library(yaml-cpp libyaml-cpp.a yaml-cpp/yaml.h)
asof_static_library(lmdb liblmdb.a lmdb.h Threads::Threads)
asof_static_library(zstd libzstd.a zstd.h)
asof_static_library(snappy libsnappy.a snappy.h)
asof_static_library(lz4 liblz4.a lz4.h)
asof_static_library(sqlite3 libsqlite3.a sqlite3.h Threads::Threads ${CMAKE_DL_LIBS} m)
# DuckDB's engine loads its library when it is first asked for something; only tests and benchmarks are linked with it.
asof_third_party(duckdb ${CMAKE_DL_LIBS})
target_include_directories(asof_3p_duckdb SYSTEM INTERFACE $<BUILD_INTERFACE:${ASOF_THIRD_PARTY}/duckdb/include>)
list(APPEND CMAKE_BUILD_RPATH ${ASOF_THIRD_PARTY}/duckdb/lib)
add_library(asof_duckdb SHARED IMPORTED GLOBAL)
set_target_properties(asof_duckdb PROPERTIES IMPORTED_LOCATION ${ASOF_THIRD_PARTY}/duckdb/lib/libduckdb.so
                      IMPORTED_SONAME libduckdb.so)
target_link_libraries(asof_duckdb INTERFACE asof_3p_duckdb)

asof_third_party(boost Threads::Threads)
target_include_directories(asof_3p_boost SYSTEM INTERFACE $<BUILD_INTERFACE:${ASOF_THIRD_PARTY}/boost/include>)
if(ASOF_SANITIZE MATCHES "thread")
  # TSan does not understand free-standing fences; Asio's own locks order everything that its handlers see.
  target_compile_definitions(asof_3p_boost INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()

asof_third_party(simdjson ${ASOF_THIRD_PARTY}/simdjson/lib/x86_64-linux-gnu/libsimdjson_static.a)
target_include_directories(asof_3p_simdjson SYSTEM INTERFACE $<BUILD_INTERFACE:${ASOF_THIRD_PARTY}/simdjson/include>)

# Three C files, which nothing but the server links.
add_library(asof_nanoarrow STATIC EXCLUDE_FROM_ALL ${ASOF_THIRD_PARTY}/nanoarrow/nanoarrow.c
            ${ASOF_THIRD_PARTY}/nanoarrow/nanoarrow_ipc.c ${ASOF_THIRD_PARTY}/nanoarrow/flatcc.c)
target_include_directories(asof_nanoarrow SYSTEM PUBLIC ${ASOF_THIRD_PARTY}/nanoarrow)
target_compile_options(asof_nanoarrow PRIVATE -w)
asof_third_party(nanoarrow asof_nanoarrow)

find_library(ASOF_SSL_ARCHIVE libssl.a REQUIRED)
find_library(ASOF_CRYPTO_ARCHIVE libcrypto.a REQUIRED)
asof_third_party(openssl ${ASOF_SSL_ARCHIVE} ${ASOF_CRYPTO_ARCHIVE} Threads::Threads ${CMAKE_DL_LIBS})
