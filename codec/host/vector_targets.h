// Which instruction sets the vector code of this folder is built for: included before any header of Highway's, and in
// each of its passes. Fewer than Highway offers, since each costs build time: a processor without AVX2 is served by the
// scalar code, one with AVX-512 that lacks what byte-wise expansion needs by that for AVX2.
#ifndef MODELVAULT_CODEC_HOST_VECTOR_TARGETS_H_
#define MODELVAULT_CODEC_HOST_VECTOR_TARGETS_H_

#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3)

#endif  // MODELVAULT_CODEC_HOST_VECTOR_TARGETS_H_
