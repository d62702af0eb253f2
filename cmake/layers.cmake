# The layer table: the one place that says which module may include which, and which third-party library it links.
#
#   asof_layer(<folder> <layer> [INCLUDES <folder>...] [LIBRARIES <library>...])
#
# A module may include the modules it names here and, through them, theirs; never another module of its own layer and
# never an engine: engines are included by the list that CMake generates for client, and by tests.
# tools/check_layers.py reads this file and holds every include and every link line against it.

set(ASOF_LAYERS "")

function(asof_layer folder layer)
  cmake_parse_arguments(arg "" "" "INCLUDES;LIBRARIES" ${ARGN})
  string(REPLACE "/" "_" name "${folder}")
  set(ASOF_LAYERS ${ASOF_LAYERS} ${folder} PARENT_SCOPE)
  set(ASOF_INCLUDES_${name} "${arg_INCLUDES}" PARENT_SCOPE)
  set(ASOF_LIBRARIES_${name} "${arg_LIBRARIES}" PARENT_SCOPE)
endfunction()

asof_layer(asof/base                    0 LIBRARIES fmt xxhash threads)
asof_layer(asof/types                   1 INCLUDES asof/base)
asof_layer(asof/codec                   2 INCLUDES asof/types)
asof_layer(asof/model                   2 INCLUDES asof/types LIBRARIES yaml-cpp nlohmann_json)
asof_layer(asof/agg                     2 INCLUDES asof/types)
asof_layer(asof/sqlite                  2 INCLUDES asof/types LIBRARIES sqlite3)
asof_layer(asof/parquet                 2 INCLUDES asof/types LIBRARIES zstd snappy lz4)
asof_layer(asof/store                   3 INCLUDES asof/types asof/codec asof/model asof/agg LIBRARIES nlohmann_json)
asof_layer(asof/engines/online/memory   4 INCLUDES asof/store asof/codec)
asof_layer(asof/engines/online/lmdb     4 INCLUDES asof/store asof/codec LIBRARIES lmdb)
asof_layer(asof/engines/online/sqlite   4 INCLUDES asof/store asof/codec asof/sqlite)
asof_layer(asof/engines/online/redis    4 INCLUDES asof/store asof/codec LIBRARIES boost openssl)
asof_layer(asof/engines/offline/duckdb  4 INCLUDES asof/store asof/codec asof/parquet LIBRARIES duckdb)
asof_layer(asof/engines/catalog/memory  4 INCLUDES asof/store asof/codec)
asof_layer(asof/engines/catalog/sqlite  4 INCLUDES asof/store asof/codec asof/sqlite)
asof_layer(asof/plan                    4 INCLUDES asof/model asof/agg asof/codec asof/store)
asof_layer(asof/kernel                  4 INCLUDES asof/agg asof/codec asof/store)
asof_layer(asof/log                     4 INCLUDES asof/codec asof/store)
asof_layer(asof/registry                5 INCLUDES asof/plan LIBRARIES nlohmann_json)
asof_layer(asof/training                5 INCLUDES asof/plan asof/kernel LIBRARIES nlohmann_json)
asof_layer(asof/materialize             5 INCLUDES asof/plan asof/kernel asof/log LIBRARIES nlohmann_json)
asof_layer(asof/ingest                  5 INCLUDES asof/plan asof/log)
asof_layer(asof/serve                   5 INCLUDES asof/plan)
asof_layer(asof/audit                   6 INCLUDES asof/registry asof/training asof/materialize asof/ingest asof/serve
                                          LIBRARIES nlohmann_json)
asof_layer(asof/client                  7 INCLUDES asof/audit asof/registry asof/training asof/materialize asof/ingest
                                          asof/serve LIBRARIES nlohmann_json)
asof_layer(apps/load                    8 INCLUDES asof/base LIBRARIES threads)
asof_layer(apps/cli                     8 INCLUDES asof/client apps/server apps/load LIBRARIES cli11 nlohmann_json)
asof_layer(apps/server                  8 INCLUDES asof/client LIBRARIES boost simdjson nanoarrow nlohmann_json)
