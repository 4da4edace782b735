#ifndef MODELVAULT_TESTS_RESTORE_INFER_NETWORK_BYTES_H_
#define MODELVAULT_TESTS_RESTORE_INFER_NETWORK_BYTES_H_

// Writes NETWORK sections as docs/format.md §9 says, with places as numbers: what the builder makes is compared with
// this, and what it would never make is written by it.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codec/core/bytes.h"
#include "restore/infer/network.h"
#include "restore/infer/network_view.h"

namespace modelvault {

inline void Put(std::string* bytes, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) bytes->push_back(static_cast<char>(value >> (8 * i)));
}

struct TokenizerParts {
  struct Token {
    uint32_t offset;
    uint8_t size;
  };
  struct Piece {
    uint16_t token;
    uint16_t rank;
  };
  std::vector<Token> tokens;
  std::vector<Piece> pieces;
  std::string text;
  uint16_t begin = 1;
  uint16_t end = 2;
  uint16_t first_byte = 0xFFFF;
  uint8_t flags = 0;
  uint8_t longest = 0;

  std::string Bytes() const {
    std::string bytes;
    Put(&bytes, tokens.size(), 2);
    Put(&bytes, pieces.size(), 2);
    Put(&bytes, begin, 2);
    Put(&bytes, end, 2);
    Put(&bytes, first_byte, 2);
    Put(&bytes, flags, 1);
    Put(&bytes, longest, 1);
    Put(&bytes, text.size(), 4);
    for (const Token& token : tokens) Put(&bytes, token.offset | static_cast<uint32_t>(token.size) << 24, 4);
    for (const Piece& piece : pieces) {
      Put(&bytes, piece.token, 2);
      Put(&bytes, piece.rank, 2);
    }
    bytes += text;
    while (bytes.size() % 4 != 0) bytes.push_back('\0');
    return bytes;
  }
};

struct NetworkParts {
  uint8_t task = 1;
  uint8_t activation_bits = 8;
  uint32_t inputs = 0;
  uint32_t outputs = 0;
  uint16_t window = 0;
  uint16_t sinks = 0;
  uint16_t cache_count = 0;
  std::vector<uint16_t> widths;
  std::vector<uint32_t> rope_steps;
  std::vector<NetworkOperator> operators;
  std::string tokenizer;

  std::string Bytes() const {
    std::string bytes;
    Put(&bytes, task, 1);
    Put(&bytes, activation_bits, 1);
    Put(&bytes, operators.size(), 2);
    Put(&bytes, inputs, 4);
    Put(&bytes, outputs, 4);
    Put(&bytes, window, 2);
    Put(&bytes, sinks, 2);
    Put(&bytes, widths.size(), 1);
    Put(&bytes, rope_steps.size(), 1);
    Put(&bytes, cache_count, 2);
    Put(&bytes, tokenizer.size(), 4);
    Put(&bytes, 0, 8);
    for (const uint16_t width : widths) Put(&bytes, width, 2);
    if (widths.size() % 2 != 0) Put(&bytes, 0, 2);
    for (const uint32_t step : rope_steps) Put(&bytes, step, 4);
    for (const NetworkOperator& op : operators) {
      for (const uint8_t byte : {static_cast<uint8_t>(op.code), op.out, op.in, op.in2}) Put(&bytes, byte, 1);
      for (const uint16_t tensor : {op.weights, op.scales, op.bias}) Put(&bytes, tensor, 2);
      Put(&bytes, op.a, 1);
      Put(&bytes, op.b, 1);
      Put(&bytes, op.c, 4);
    }
    return bytes + tokenizer;
  }
};

// Tensors by number, for ParseNetwork.
class ShapeList {
 public:
  explicit ShapeList(std::vector<TensorShape> list) : list_(std::move(list)) {}
  TensorShapes shapes() const {
    return {this, list_.size(),
            [](const void* self, size_t i) { return static_cast<const ShapeList*>(self)->list_.at(i); }};
  }
  TensorShape& operator[](size_t i) { return list_[i]; }

 private:
  std::vector<TensorShape> list_;
};

// Bytes at a multiple of 4 in a block of just their size, so that a sanitizer sees a read past their end.
class AlignedBytes {
 public:
  explicit AlignedBytes(const std::string& bytes) : size_(bytes.size()), data_(new uint8_t[bytes.size()]) {
    if (size_ > 0) std::memcpy(data_.get(), bytes.data(), size_);
  }
  ByteView view() const { return {data_.get(), size_}; }

 private:
  const size_t size_;
  const std::unique_ptr<uint8_t[]> data_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_INFER_NETWORK_BYTES_H_
