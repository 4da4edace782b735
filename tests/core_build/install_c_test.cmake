# Installs BUILD_DIR for everybody, looks at what is there, and builds EXAMPLE, a C99 program, against it: by pkg-config
# with CC, by CMake, and each with the shared library and with the archive. Each must restore from VAULT. Everything
# happens below WORK_DIR, which is emptied before and after.
include(${CMAKE_CURRENT_LIST_DIR}/run_commands.cmake)

function(expect_to_restore program)
  run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${program} ${VAULT} base)
  if(NOT output MATCHES "^embed I8 12x16 192 bytes\n")
    message(FATAL_ERROR "${program} said: ${output}")
  endif()
endfunction()

# Whether `program` asks for the shared library.
function(expect_shared program expected)
  run(${OBJDUMP} -p ${program})
  set(found FALSE)
  if(output MATCHES "NEEDED +libmodelvault\\.so\\.0\n")
    set(found TRUE)
  endif()
  if(NOT found STREQUAL expected)
    message(FATAL_ERROR "${program} asks for libmodelvault.so.0: ${found}, expected ${expected}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})

# A package's way: below DESTDIR, for another place. One header, none of the libraries that are ours alone.
run(${CMAKE_COMMAND} -E env DESTDIR=${WORK_DIR}/stage ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix /usr)
file(GLOB_RECURSE headers RELATIVE ${WORK_DIR}/stage ${WORK_DIR}/stage/*.h ${WORK_DIR}/stage/*.inc)
if(NOT headers STREQUAL "usr/include/modelvault/modelvault.h")
  message(FATAL_ERROR "headers installed: ${headers}")
endif()
file(GLOB_RECURSE archives RELATIVE ${WORK_DIR}/stage ${WORK_DIR}/stage/*.a)
if(NOT archives STREQUAL "usr/${LIBDIR}/libmodelvault.a")
  message(FATAL_ERROR "archives installed: ${archives}")
endif()

set(prefix ${WORK_DIR}/prefix)
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})

set(ENV{PKG_CONFIG_PATH} ${prefix}/${LIBDIR}/pkgconfig)
set(compile ${CC} -std=c99 -Wall -Wextra -pedantic -Werror ${EXAMPLE})
function(pkg_config variable)
  run(${PKG_CONFIG} ${ARGN} modelvault)
  separate_arguments(words UNIX_COMMAND "${output}")
  set(${variable} ${words} PARENT_SCOPE)
endfunction()
pkg_config(flags --cflags)
pkg_config(libraries --libs)
run(${compile} ${flags} -o ${WORK_DIR}/shared ${libraries})
expect_shared(${WORK_DIR}/shared TRUE)
expect_to_restore(${WORK_DIR}/shared)
pkg_config(libraries --static --libs)
list(REMOVE_ITEM libraries -lmodelvault)
run(${compile} ${flags} -o ${WORK_DIR}/static -L${prefix}/${LIBDIR} -l:libmodelvault.a ${libraries})
expect_shared(${WORK_DIR}/static FALSE)
expect_to_restore(${WORK_DIR}/static)

foreach(component IN ITEMS c c_static)
  set(build ${WORK_DIR}/${component})
  run(${CMAKE_COMMAND} -S ${CONSUMER_DIR} -B ${build} -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC} -DCMAKE_CXX_COMPILER=${CXX}
      -DCMAKE_PREFIX_PATH=${prefix} -DCOMPONENT=${component} -DSOURCE=${EXAMPLE})
  run(${CMAKE_COMMAND} --build ${build})
  expect_to_restore(${build}/c_consumer)
endforeach()
expect_shared(${WORK_DIR}/c/c_consumer TRUE)
expect_shared(${WORK_DIR}/c_static/c_consumer FALSE)
file(REMOVE_RECURSE ${WORK_DIR})
