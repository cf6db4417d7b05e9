# haproxy/cellrouter.cfg is part of what `cellctl haproxy` prints: its bytes go into a header as they are.
set(shared_rules ${CMAKE_SOURCE_DIR}/haproxy/cellrouter.cfg)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${shared_rules})
file(READ ${shared_rules} shared_rules_hex HEX)
string(REGEX REPLACE "(..)" "0x\\1,\n" shared_rules_bytes "${shared_rules_hex}")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/haproxy_rules.h @ONLY CONTENT
"/* made of haproxy/cellrouter.cfg by cmake/haproxy.cmake */
static const unsigned char haproxy_rules[] = {@shared_rules_bytes@};
")
