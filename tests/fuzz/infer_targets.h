// What the fuzz targets of restore/infer/ do with an input, their promises checked with aborts.
// tests/restore/fuzz_seeds_test.cc runs the same on the seeds, which must parse.
//
//   network:    u8 count of tensors, 5 bytes each (u8 dtype, u16 rows, u16 columns), rest = NETWORK
//   tokenizer:  piece tokenizer, rest = a text
#ifndef MODELVAULT_TESTS_FUZZ_INFER_TARGETS_H_
#define MODELVAULT_TESTS_FUZZ_INFER_TARGETS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "restore/infer/network_view.h"
#include "restore/infer/tokenizer.h"
#include "tests/fuzz/codec_targets.h"

namespace modelvault {

// Encodes `text` in just the memory that it takes, and reads it back.
inline CoreStatus FuzzEncoding(const Tokenizer& tokenizer, const std::vector<uint8_t>& text) {
  const size_t room = Tokenizer::MostTokens(text.size());
  const std::unique_ptr<uint16_t[]> ids(new uint16_t[room]), merges(new uint16_t[room]);
  size_t count, bad;
  const CoreStatus status = tokenizer.Encode({text.data(), text.size()}, ids.get(), merges.get(), room, &count, &bad);
  if (status != CoreStatus::kOk) {
    Check(status == CoreStatus::kNotFound && count == 0 && bad < std::max<size_t>(1, text.size()));
    return status;
  }
  Check(count <= text.size() + 2);
  std::vector<uint8_t> again;
  for (size_t i = 0; i < count; ++i) {
    Check(ids[i] < tokenizer.token_count());
    if (i == 0 && ids[0] == tokenizer.begin_token()) continue;  // Its bytes, if it has any, are not of the text.
    const ByteView bytes = tokenizer.Text(ids[i]);
    again.insert(again.end(), bytes.data, bytes.data + bytes.size);
  }
  const bool space = again.size() == text.size() + 1 && again.front() == ' ';
  Check(std::equal(again.begin() + (space ? 1 : 0), again.end(), text.begin(), text.end()));
  return status;
}

inline CoreStatus FuzzTokenizer(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const std::vector<uint8_t> bytes = input.Piece();
  std::vector<uint8_t> text = input.Rest();
  if (text.size() > 600) text.resize(600);
  Tokenizer tokenizer;
  size_t bad;
  const CoreStatus parsed = tokenizer.Parse({bytes.data(), bytes.size()}, &bad);
  if (parsed != CoreStatus::kOk) {
    Check(parsed == CoreStatus::kBadNetwork && bad <= bytes.size() + kTokenizerHeadSize);
    return parsed;
  }
  return FuzzEncoding(tokenizer, text);
}

inline CoreStatus FuzzNetwork(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  std::vector<TensorShape> list(input.Byte());
  for (TensorShape& shape : list) {
    shape.dtype = static_cast<DType>(input.Byte() % kDTypeCount);
    shape.rows = input.Byte();
    shape.rows += 256u * input.Byte();
    shape.cols = input.Byte();
    shape.cols += 256u * input.Byte();
  }
  const TensorShapes shapes = {&list, list.size(), [](const void* self, size_t i) {
                                 return static_cast<const std::vector<TensorShape>*>(self)->at(i);
                               }};
  const std::vector<uint8_t> section = input.Rest();
  Network network;
  size_t bad;
  const CoreStatus status = ParseNetwork({section.data(), section.size()}, shapes, &network, &bad);
  if (status != CoreStatus::kOk) {
    Check(status == CoreStatus::kBadNetwork && bad <= section.size() + kTokenizerHeadSize);
    return status;
  }
  for (size_t i = 0; i < network.rope_pair_count; ++i) static_cast<void>(network.rope_step(i));
  size_t caches = 0;
  for (size_t i = 0; i < network.operator_count; ++i) {
    const NetworkOperator op = network.op(i);
    for (const uint8_t buffer : {op.out, op.in, op.in2}) {
      Check(buffer == kNoBuffer || (buffer < network.buffer_count && network.width(buffer) > 0));
    }
    for (const uint16_t tensor : {op.weights, op.scales, op.bias}) Check(tensor == kNoTensor || tensor < list.size());
    Check(op.out != kNoBuffer);
    caches += op.code == OperatorCode::kAttention ? 1 : 0;
  }
  Check(caches == network.cache_count);
  Check(network.outputs == network.width(network.op(network.operator_count - 1u).out));
  return status;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FUZZ_INFER_TARGETS_H_
