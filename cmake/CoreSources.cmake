# The freestanding core: the one list of its sources. The host libraries and the board's archive (firmware_riscv/)
# compile the same files, so there are no copies and no board-only branches. Add a new core file here, nowhere else.
# Paths are absolute, so any folder's CMakeLists.txt can use the variables as they are.
set(MODELVAULT_CODEC_CORE_SOURCES
    base_decoder.cc
    column_order.cc
    core_status.cc
    gap_tables.cc
    prediction.cc
    prefix_code.cc
    prefix_runs.cc
    rans_decoder.cc
    segment_decoder.cc
    segment_gaps.cc
    shared_tables.cc
    variant_layout.cc
    xxh64.cc)
set(MODELVAULT_VAULT_CORE_SOURCES vault_view.cc)
set(MODELVAULT_RESTORE_CORE_SOURCES
    core/proven_chunks.cc
    core/variant_stream.cc
    infer/attention.cc
    infer/attention_loops.cc
    infer/buffer_layout.cc
    infer/delta_list_builder.cc
    infer/delta_rows.cc
    infer/dot.cc
    infer/engine.cc
    infer/engine_run.cc
    infer/fixed_point.cc
    infer/functions.cc
    infer/matmul.cc
    infer/network_view.cc
    infer/parameters.cc
    infer/quantizer.cc
    infer/sampler.cc
    infer/tokenizer.cc
    infer/vault_weights.cc
    infer/vector.cc
    infer/vector_operators.cc)

list(TRANSFORM MODELVAULT_CODEC_CORE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/codec/core/)
list(TRANSFORM MODELVAULT_VAULT_CORE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/vault/core/)
list(TRANSFORM MODELVAULT_RESTORE_CORE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/restore/)
set(MODELVAULT_CORE_SOURCES ${MODELVAULT_CODEC_CORE_SOURCES} ${MODELVAULT_VAULT_CORE_SOURCES}
                            ${MODELVAULT_RESTORE_CORE_SOURCES})
