# What a user of the libraries gets: archives, the headers in the tree their #include lines name, the program, and a
# package for find_package(modelvault). Every library made with mv_library() is in it.
include(CMakePackageConfigHelpers)

set(header_dir ${CMAKE_INSTALL_INCLUDEDIR}/modelvault)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/modelvault)

get_property(libraries GLOBAL PROPERTY MODELVAULT_LIBRARIES)
if(libraries)
  install(TARGETS ${libraries} EXPORT modelvault_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT modelvault_targets NAMESPACE modelvault:: FILE modelvault-targets.cmake DESTINATION ${package_dir})
endif()
get_property(folders GLOBAL PROPERTY MODELVAULT_LIBRARY_FOLDERS)
foreach(folder IN LISTS folders)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/ DESTINATION ${header_dir}/${folder} FILES_MATCHING
          PATTERN "*.h" PATTERN "*.inc")
endforeach()
if(TARGET modelvault_proto)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/ DESTINATION ${header_dir}/proto FILES_MATCHING
          PATTERN "*.pb.h" PATTERN CMakeFiles EXCLUDE)
endif()
if(TARGET mvault)
  install(TARGETS mvault RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/modelvault-config.cmake.in
                              ${PROJECT_BINARY_DIR}/modelvault-config.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break its callers.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/modelvault-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/modelvault-config.cmake ${PROJECT_BINARY_DIR}/modelvault-config-version.cmake
        DESTINATION ${package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
