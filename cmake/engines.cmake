# The list of built-in engines, made from the folders asof/engines/{online,offline,catalog}/*: an engine is in the program
# because its folder is there. Each exports `store::<Kind>Engine engine()` in its namespace, declared in <name>_store.h
# (a catalog: <name>_catalog.h). No static initializers, no central if/else.
#
# asof_engine_list(<target> <file>) writes <file>, adds it to <target> and links the engines.

function(asof_engine_list target file)
  set(includes "")
  set(body "")
  foreach(kind IN ITEMS online offline catalog)
    if(kind STREQUAL "catalog")
      set(suffix catalog)
    else()
      set(suffix store)
    endif()
    file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/asof/engines/${kind}/*/*_${suffix}.h)
    set(calls "")
    foreach(header IN LISTS headers)
      file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${header})
      get_filename_component(folder ${path} DIRECTORY)
      get_filename_component(name ${folder} NAME)
      get_filename_component(stem ${path} NAME_WE)
      if(NOT stem STREQUAL "${name}_${suffix}" OR NOT folder IN_LIST ASOF_LAYERS)
        continue()
      endif()
      string(APPEND includes "#include \"${path}\"\n")
      list(APPEND calls "engines::${kind}::${name}::engine()")
      string(REPLACE "/" "_" engine "${folder}")
      target_link_libraries(${target} PUBLIC ${engine})
    endforeach()
    list(JOIN calls ", " calls)
    string(APPEND body "      .${kind} = {${calls}},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT
"// Written by cmake/engines.cmake from the folders under asof/engines.
@includes@
#include \"asof/client/engines.h\"

namespace asof::client {

const store::EngineSet& built_in_engines() {
  static const store::EngineSet engines{
@body@  };
  return engines;
}

}  // namespace asof::client
")
  target_sources(${target} PRIVATE ${file})
endfunction()
