# haproxy/rules/*.cfg and haproxy/snippets/*.cfg are the templates of what `cellctl haproxy` prints: their bytes go into a header as they
# are. haproxy_rules_check reads them as they will be printed, at each build: a template that is wrong fails it.
file(GLOB templates CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/haproxy/rules/*.cfg
     ${CMAKE_SOURCE_DIR}/haproxy/snippets/*.cfg)
set(template_bytes "")
set(template_rows "")
set(template_number 0)
foreach(template ${templates})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${template})
  get_filename_component(name ${template} NAME_WE)
  file(READ ${CMAKE_SOURCE_DIR}/${template} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND template_bytes "static const unsigned char template_${template_number}[] = {${bytes}0};\n")
  string(APPEND template_rows "    {\"${name}\", \"${template}\", (const char *)template_${template_number}, "
         "sizeof template_${template_number} - 1},\n")
  math(EXPR template_number "${template_number} + 1")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/haproxy_templates.h @ONLY CONTENT
"/* made of haproxy/rules/ and haproxy/snippets/ by cmake/haproxy.cmake */
@template_bytes@
static const struct template_text haproxy_templates[] = {
@template_rows@};
")
