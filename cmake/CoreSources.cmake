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
set(MODELVAULT_VAULT_CORE_SOURCES
    revocation_view.cc
    sealed_blob.cc
    signature_view.cc
    tenant_view.cc
    vault_proof.cc
    vault_view.cc)
set(MODELVAULT_RESTORE_CORE_SOURCES
    proven_chunks.cc
    variant_stream.cc)
set(MODELVAULT_INFER_CORE_SOURCES
    attention.cc
    attention_loops.cc
    buffer_layout.cc
    delta_list_builder.cc
    delta_rows.cc
    dot.cc
    engine.cc
    engine_run.cc
    fixed_point.cc
    functions.cc
    matmul.cc
    network_view.cc
    parameters.cc
    quantizer.cc
    sampler.cc
    tokenizer.cc
    vault_weights.cc
    vector.cc
    vector_operators.cc)

list(TRANSFORM MODELVAULT_CODEC_CORE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/codec/core/)
list(TRANSFORM MODELVAULT_VAULT_CORE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/vault/core/)
list(TRANSFORM MODELVAULT_RESTORE_CORE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/restore/core/)
list(TRANSFORM MODELVAULT_INFER_CORE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/restore/infer/)
set(MODELVAULT_CORE_SOURCES ${MODELVAULT_CODEC_CORE_SOURCES} ${MODELVAULT_VAULT_CORE_SOURCES}
                            ${MODELVAULT_RESTORE_CORE_SOURCES} ${MODELVAULT_INFER_CORE_SOURCES})
