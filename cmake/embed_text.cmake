# Compiles the text files of a folder into a target: <namespace>::embedded_texts() gives them by their path in the folder.
#
# asof_embed_texts(<target> NAMESPACE <namespace> FOLDER <folder>)

function(asof_embed_texts target)
  cmake_parse_arguments(arg "" "NAMESPACE;FOLDER" "" ${ARGN})
  file(GLOB_RECURSE paths CONFIGURE_DEPENDS LIST_DIRECTORIES false ${arg_FOLDER}/*)
  set(entries "")
  foreach(path IN LISTS paths)
    file(RELATIVE_PATH name ${arg_FOLDER} ${path})
    file(READ ${path} text)
    string(APPEND entries "    {\"${name}\", R\"asof_text(${text})asof_text\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  endforeach()
  set(file ${CMAKE_CURRENT_BINARY_DIR}/embedded_texts.cc)
  set(content "// Written by cmake/embed_text.cmake.
#include <map>
#include <string_view>

namespace ${arg_NAMESPACE} {

const std::map<std::string_view, std::string_view>& embedded_texts();

const std::map<std::string_view, std::string_view>& embedded_texts() {
  static const std::map<std::string_view, std::string_view> texts{
${entries}  };
  return texts;
}

}  // namespace ${arg_NAMESPACE}
")
  set(written "")
  if(EXISTS ${file})
    file(READ ${file} written)
  endif()
  if(NOT written STREQUAL content)
    file(WRITE ${file} "${content}")
  endif()
  target_sources(${target} PRIVATE ${file})
endfunction()
