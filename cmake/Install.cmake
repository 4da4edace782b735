# Two things are installed. For everybody: the program, and the C library with its one header, a pkg-config file and
# find_package(modelvault). On demand, with `cmake --install BUILD --component cpp`: the C++ libraries and the headers in
# the tree that their #include lines name, for find_package(modelvault COMPONENTS cpp). These change as they like.
include(CMakePackageConfigHelpers)

set(header_dir ${CMAKE_INSTALL_INCLUDEDIR}/modelvault)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/modelvault)
set(namespace NAMESPACE modelvault::)

# Of the C++ libraries everything made with mv_library() is there.
set(for_cpp COMPONENT cpp EXCLUDE_FROM_ALL)
get_property(libraries GLOBAL PROPERTY MODELVAULT_LIBRARIES)
if(libraries)
  install(TARGETS ${libraries} EXPORT modelvault_cpp ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} ${for_cpp})
  install(EXPORT modelvault_cpp ${namespace} FILE modelvault-cpp-targets.cmake DESTINATION ${package_dir} ${for_cpp})
endif()
get_property(folders GLOBAL PROPERTY MODELVAULT_LIBRARY_FOLDERS)
foreach(folder IN LISTS folders)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/ DESTINATION ${header_dir}/${folder} ${for_cpp} FILES_MATCHING
          PATTERN "*.h" PATTERN "*.inc" PATTERN c_api EXCLUDE)
endforeach()
if(TARGET modelvault_proto)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/ DESTINATION ${header_dir}/proto ${for_cpp} FILES_MATCHING
          PATTERN "*.pb.h" PATTERN CMakeFiles EXCLUDE)
endif()

if(TARGET mvault)
  install(TARGETS mvault RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(TARGET mvault-mpi)
    install(TARGETS mvault-mpi RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endif()
# The shared library needs nothing of its users; who links the archive needs what it was built on.
foreach(library IN ITEMS c c_static)
  install(TARGETS modelvault_${library} EXPORT modelvault_${library} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
                                                                     ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT modelvault_${library} ${namespace} FILE modelvault-${library}-targets.cmake DESTINATION ${package_dir})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/restore/c_api/include/modelvault/modelvault.h DESTINATION ${header_dir})

# Relative, so that the files are right wherever they are installed.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_BINDIR BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
           OUTPUT_VARIABLE pkgconfig_to_bin)
cmake_path(GET pkgconfig_to_bin PARENT_PATH MODELVAULT_PC_PREFIX)
configure_file(${PROJECT_SOURCE_DIR}/restore/c_api/modelvault.pc.in ${PROJECT_BINARY_DIR}/modelvault.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/modelvault.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/modelvault-config.cmake.in
                              ${PROJECT_BINARY_DIR}/modelvault-config.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break its callers.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/modelvault-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/modelvault-config.cmake ${PROJECT_BINARY_DIR}/modelvault-config-version.cmake
        DESTINATION ${package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
