# cmake --install BUILD [--prefix /usr]; DESTDIR is respected. Configuration goes to /etc/cellrouter whatever the prefix
# is, as a sample: a cellrouter.conf that is there stays untouched. The units name /usr/bin: install with --prefix /usr.
include(GNUInstallDirs)
install(TARGETS cellrouter cellctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES haproxy/cellrouter-spoe.conf systemd/large-global.cfg DESTINATION /etc/cellrouter)
install(FILES docs/cellrouter.conf DESTINATION /etc/cellrouter RENAME cellrouter.conf.sample)
install(FILES systemd/cellrouter.service systemd/cellrouter-large.service systemd/cellrouter-large@.service
        DESTINATION lib/systemd/system)
install(FILES systemd/cellrouter.sysusers DESTINATION lib/sysusers.d RENAME cellrouter.conf)
install(FILES README.md ARCHITECTURE.md CONTRIBUTING.md NEWS.md SECURITY.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
install(DIRECTORY haproxy/examples DESTINATION ${CMAKE_INSTALL_DOCDIR}/haproxy)
