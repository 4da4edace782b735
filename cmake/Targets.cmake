# One place for the flags every target of ours shares, and for those of everything but tests: sanitizers watch the code
# under test, not the tests, which take twice as long to compile with them.
add_library(modelvault_test_flags INTERFACE)
target_include_directories(modelvault_test_flags INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                           $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}>)
target_compile_options(modelvault_test_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                                       -Wno-sign-conversion)
if(MODELVAULT_WERROR)
  target_compile_options(modelvault_test_flags INTERFACE -Werror)
endif()
add_library(modelvault_flags INTERFACE)
target_link_libraries(modelvault_flags INTERFACE modelvault_test_flags)
if(MODELVAULT_SANITIZE)
  target_compile_options(modelvault_flags INTERFACE -fsanitize=${MODELVAULT_SANITIZE} -fno-sanitize-recover=all
                                                    -fno-omit-frame-pointer)
  target_link_options(modelvault_test_flags INTERFACE -fsanitize=${MODELVAULT_SANITIZE})
endif()

# mv_library(NAME SOURCES... DEPS...): one static library of ours, alias modelvault::NAME. It is installed and exported
# with the headers of its folder by cmake/Install.cmake, which reads the global properties MODELVAULT_LIBRARIES and
# MODELVAULT_LIBRARY_FOLDERS.
function(mv_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(modelvault_${name} STATIC ${arg_SOURCES})
  add_library(modelvault::${name} ALIAS modelvault_${name})
  target_link_libraries(modelvault_${name} PUBLIC ${arg_DEPS} PRIVATE $<BUILD_INTERFACE:modelvault_flags>)
  target_include_directories(modelvault_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                       $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/modelvault>)
  set_target_properties(modelvault_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY MODELVAULT_LIBRARIES modelvault_${name})
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE folder)
  set_property(GLOBAL APPEND PROPERTY MODELVAULT_LIBRARY_FOLDERS ${folder})
endfunction()

# A test runs once for each time it is compiled: the code under test is optimised, the test itself is not.
set(MODELVAULT_TEST_OPTIMISATION -O0)

# Hundreds of test programs are linked: by gold, which Debian's binutils bring, in half of the time.
include(CheckLinkerFlag)
set(MODELVAULT_TEST_LINKER "")
check_linker_flag(CXX -fuse-ld=gold MODELVAULT_HAS_GOLD)
if(MODELVAULT_HAS_GOLD AND NOT MODELVAULT_FUZZ)
  set(MODELVAULT_TEST_LINKER -fuse-ld=gold)
endif()

# What nearly every test includes, parsed once: without this the tests take half as long again to build.
function(mv_test_headers)
  if(TARGET modelvault_test_headers)
    return()
  endif()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/test_headers.cc CONTENT "// Only for the headers.\n")
  # A program, because programs share compiler options that libraries do not have.
  add_executable(modelvault_test_headers EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/test_headers.cc)
  target_link_libraries(modelvault_test_headers PRIVATE modelvault_test_flags absl::statusor absl::strings GTest::gmock
                                                        GTest::gtest GTest::gtest_main)
  target_compile_options(modelvault_test_headers PRIVATE ${MODELVAULT_TEST_OPTIMISATION})
  target_precompile_headers(modelvault_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <algorithm> <map> <memory>
                            <string> <vector> <absl/status/statusor.h> <absl/strings/str_cat.h>)
endfunction()

# Replaces each source of the test program `name` in the list `sources` by the object that the build folder
# MODELVAULT_TEST_OBJECTS has of it, where that is set. Tests are compiled alike for every preset of GCC, so that the
# sanitizers' build, whose tests take longer to compile than its libraries, only has to link them.
function(mv_reuse_test_objects name sources)
  if(NOT MODELVAULT_TEST_OBJECTS)
    return()
  endif()
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE folder)
  set(objects ${${sources}})
  list(TRANSFORM objects REPLACE "^([a-z_0-9][a-z_0-9/]*\\.cc)$"
       "${MODELVAULT_TEST_OBJECTS}/${folder}/CMakeFiles/${name}.dir/\\1.o")
  list(FILTER objects INCLUDE REGEX "\\.o$")
  foreach(object ${objects})
    if(NOT EXISTS ${object})
      message(FATAL_ERROR "MODELVAULT_TEST_OBJECTS: ${object} is not there; build the tests in that folder first")
    endif()
  endforeach()
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON)
  set(others ${${sources}})
  list(FILTER others EXCLUDE REGEX "^[a-z_0-9][a-z_0-9/]*\\.cc$")
  set(${sources} ${objects} ${others} PARENT_SCOPE)
endfunction()

# mv_test(NAME SOURCES... DEPS... [LABELS...] [SLOW FILTER]): one GoogleTest program, its cases registered one by one.
# Those that the filter names have the label `slow`: the sanitizers' run leaves them out.
# With the label `corpus` it is compiled always, but registered only where the folder MODELVAULT_CORPUS exists; the
# program finds that folder in the macro MODELVAULT_CORPUS_DIR.
function(mv_test name)
  cmake_parse_arguments(arg "" "SLOW" "SOURCES;DEPS;LABELS" ${ARGN})
  mv_test_headers()
  mv_reuse_test_objects(${name} arg_SOURCES)
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${name} PRIVATE ${arg_DEPS} modelvault_test_flags GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${MODELVAULT_TEST_OPTIMISATION})
  target_link_options(${name} PRIVATE ${MODELVAULT_TEST_LINKER})
  target_precompile_headers(${name} REUSE_FROM modelvault_test_headers)
  if("corpus" IN_LIST arg_LABELS)
    target_compile_definitions(${name} PRIVATE MODELVAULT_CORPUS_DIR="${MODELVAULT_CORPUS}")
    if(NOT EXISTS "${MODELVAULT_CORPUS}")
      set_property(GLOBAL APPEND PROPERTY MODELVAULT_LEFT_OUT_TESTS ${name})
      return()
    endif()
  endif()
  if(NOT arg_SLOW)
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES LABELS "${arg_LABELS}")
    return()
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 TEST_FILTER "-${arg_SLOW}" PROPERTIES LABELS "${arg_LABELS}")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 TEST_FILTER "${arg_SLOW}" TEST_LIST ${name}_SLOW_TESTS
                       PROPERTIES LABELS "${arg_LABELS};slow")
endfunction()

# mv_corpus_test(NAME SOURCES... DEPS...): mv_test with the label `corpus`.
function(mv_corpus_test name)
  mv_test(${name} ${ARGN} LABELS corpus)
endfunction()

# Writes the number and the names of the test programs left out for want of the corpus, one line each, to
# left_out_tests.txt in the build folder. scripts/test prints it.
function(mv_report_left_out_tests)
  get_property(left_out GLOBAL PROPERTY MODELVAULT_LEFT_OUT_TESTS)
  list(LENGTH left_out count)
  list(JOIN left_out "\n" names)
  file(WRITE ${PROJECT_BINARY_DIR}/left_out_tests.txt "${count}\n${names}\n")
endfunction()
