# Installs BUILD_DIR and its C++ libraries into a fresh prefix, then configures, builds and runs the project in
# CONSUMER_DIR against it. Everything happens below WORK_DIR, which is emptied before and after.
include(${CMAKE_CURRENT_LIST_DIR}/run_commands.cmake)

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix)
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix --component cpp)
run(${CMAKE_COMMAND} -S ${CONSUMER_DIR} -B ${WORK_DIR}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX}
    -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix)
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/consumer ${CONSUMER_DIR}/CMakeLists.txt)
if(NOT output MATCHES "consumer: ok")
  message(FATAL_ERROR "the consumer said: ${output}")
endif()
run(${WORK_DIR}/prefix/bin/mvault --version)
file(REMOVE_RECURSE ${WORK_DIR})
