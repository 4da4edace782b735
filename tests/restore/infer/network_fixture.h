#ifndef MODELVAULT_TESTS_RESTORE_INFER_NETWORK_FIXTURE_H_
#define MODELVAULT_TESTS_RESTORE_INFER_NETWORK_FIXTURE_H_

// Small networks and their tensors, to be run or spoiled.

#include <cstdint>
#include <vector>

#include "tests/restore/infer/network_bytes.h"

namespace modelvault {

inline constexpr uint8_t kNone8 = 0xFF;
inline constexpr uint16_t kNone16 = 0xFFFF;

// A tokenizer of 6 tokens: unknown, begin, end, "ab", "a", "b".
inline TokenizerParts SmallTokenizer() {
  TokenizerParts parts;
  parts.tokens = {{0, 0}, {0, 0}, {0, 0}, {0, 2}, {0, 1}, {1, 1}};
  parts.pieces = {{4, 1}, {3, 0}, {5, 2}};
  parts.text = "ab";
  parts.longest = 2;
  return parts;
}

// One layer of a language model: a vocabulary of 6, dim 8, 4 heads that share 2 of keys and values, hidden 5, a bias on
// the queries. Buffers: 0 x, 1 h, 2 q, 3 k, 4 v, 5 gate, 6 up, 7 scores.
inline NetworkParts SmallLanguageModel() {
  using Code = OperatorCode;
  NetworkParts parts;
  parts.inputs = 6;
  parts.outputs = 6;
  parts.window = 9;
  parts.sinks = 2;
  parts.cache_count = 1;
  parts.widths = {8, 8, 8, 4, 4, 5, 5, 6};
  parts.rope_steps = {683565276};
  constexpr uint32_t kEps = 42950;
  parts.operators = {
      {Code::kEmbed, 0, kNone8, kNone8, 0, 1, kNone16, 0, 0, 0},
      {Code::kRmsNorm, 1, 0, kNone8, 2, kNone16, kNone16, 0, 0, kEps},
      {Code::kMatmul, 2, 1, kNone8, 3, 4, 5, 0, 0, 0},
      {Code::kMatmul, 3, 1, kNone8, 6, 7, kNone16, 0, 0, 0},
      {Code::kMatmul, 4, 1, kNone8, 6, 7, kNone16, 0, 0, 0},
      {Code::kRope, 2, kNone8, kNone8, kNone16, kNone16, kNone16, 4, 1, 0},
      {Code::kRope, 3, kNone8, kNone8, kNone16, kNone16, kNone16, 2, 1, 0},
      {Code::kAttention, 1, 2, 3, kNone16, kNone16, kNone16, 4, 2, 4},
      {Code::kMatmul, 0, 1, kNone8, 3, 4, kNone16, 1, 0, 0},
      {Code::kMatmul, 5, 0, kNone8, 8, 9, kNone16, 0, 0, 0},
      {Code::kMatmul, 6, 0, kNone8, 8, 9, kNone16, 0, 0, 0},
      {Code::kSiluGate, 5, 5, 6, kNone16, kNone16, kNone16, 0, 0, 0},
      {Code::kRelu, 5, kNone8, kNone8, kNone16, kNone16, kNone16, 0, 0, 0},
      {Code::kMatmul, 1, 5, kNone8, 10, 4, kNone16, 0, 0, 0},
      {Code::kAdd, 0, 0, 1, kNone16, kNone16, kNone16, 0, 0, 0},
      {Code::kMatmul, 7, 0, kNone8, 0, 1, kNone16, 0, 0, 0},
  };
  parts.tokenizer = SmallTokenizer().Bytes();
  return parts;
}

inline ShapeList SmallLanguageModelShapes() {
  return ShapeList({{DType::kI8, 6, 8},
                    {DType::kF32, 1, 6},
                    {DType::kF16, 1, 8},
                    {DType::kI8, 8, 8},
                    {DType::kBf16, 1, 8},
                    {DType::kF32, 1, 8},
                    {DType::kI8, 4, 8},
                    {DType::kF32, 1, 4},
                    {DType::kI8, 5, 8},
                    {DType::kF32, 1, 5},
                    {DType::kI8, 8, 5}});
}

// 3 features, a hidden layer of 4, 2 classes.
inline NetworkParts SmallClassifier() {
  using Code = OperatorCode;
  NetworkParts parts;
  parts.task = 2;
  parts.activation_bits = 4;
  parts.inputs = 3;
  parts.outputs = 2;
  parts.widths = {3, 4, 2};
  parts.operators = {
      {Code::kMatmul, 1, 0, kNone8, 0, 1, 1, 0, 0, 0},
      {Code::kRelu, 1, kNone8, kNone8, kNone16, kNone16, kNone16, 0, 0, 0},
      {Code::kMatmul, 2, 1, kNone8, 2, 3, kNone16, 0, 0, 0},
  };
  return parts;
}

inline ShapeList SmallClassifierShapes() {
  return ShapeList({{DType::kI8, 4, 3}, {DType::kF32, 1, 4}, {DType::kI8, 2, 4}, {DType::kF32, 1, 2}});
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_INFER_NETWORK_FIXTURE_H_
