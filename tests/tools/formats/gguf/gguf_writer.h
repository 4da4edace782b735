// Writes GGUF files for tests, sound ones and others.
#ifndef MODELVAULT_TESTS_TOOLS_FORMATS_GGUF_GGUF_WRITER_H_
#define MODELVAULT_TESTS_TOOLS_FORMATS_GGUF_GGUF_WRITER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/tools/formats/le_bytes.h"

namespace modelvault {

inline std::string GgufText(const std::string& text) { return LeBytes(text.size(), 8) + text; }

// An array of `count` elements of type `element`, with their bytes, as a value.
inline std::string GgufArray(uint32_t element, uint64_t count, const std::string& bytes) {
  return LeBytes(element, 4) + LeBytes(count, 8) + bytes;
}

class GgufWriter {
 public:
  explicit GgufWriter(uint32_t version = 3) : version_(version) {}

  GgufWriter& Key(const std::string& key, uint32_t type, const std::string& value) {
    keys_ += GgufText(key) + LeBytes(type, 4) + value;
    ++key_count_;
    return *this;
  }
  GgufWriter& Alignment(uint32_t alignment) {
    alignment_ = alignment == 0 ? 1 : alignment;
    return Key("general.alignment", 4, LeBytes(alignment, 4));
  }

  // At the next place that is aligned. Shapes have the outermost dimension first.
  GgufWriter& Tensor(const std::string& name, std::vector<uint64_t> shape, uint32_t type, const std::string& bytes) {
    Info(name, std::move(shape), type, data_.size());
    data_ += bytes;
    data_.resize((data_.size() + alignment_ - 1) / alignment_ * alignment_);
    return *this;
  }
  // Only what is said of a tensor.
  GgufWriter& Info(const std::string& name, std::vector<uint64_t> shape, uint32_t type, uint64_t offset) {
    infos_ += GgufText(name) + LeBytes(shape.size(), 4);
    for (auto dimension = shape.rbegin(); dimension != shape.rend(); ++dimension) infos_ += LeBytes(*dimension, 8);
    infos_ += LeBytes(type, 4) + LeBytes(offset, 8);
    ++tensor_count_;
    return *this;
  }
  GgufWriter& Data(const std::string& bytes) {
    data_ += bytes;
    return *this;
  }
  // Other counts than there are.
  GgufWriter& Counts(uint64_t tensors, uint64_t keys) {
    tensor_count_ = tensors;
    key_count_ = keys;
    return *this;
  }

  // Where the data begin.
  uint64_t DataOffset() const { return Head().size(); }
  std::string File() const { return Head() + data_; }

 private:
  std::string Head() const {
    std::string head = "GGUF" + LeBytes(version_, 4) + LeBytes(tensor_count_, 8) + LeBytes(key_count_, 8) + keys_;
    head += infos_;
    head.resize((head.size() + alignment_ - 1) / alignment_ * alignment_);
    return head;
  }

  uint32_t version_;
  uint32_t alignment_ = 32;
  uint64_t tensor_count_ = 0;
  uint64_t key_count_ = 0;
  std::string keys_;
  std::string infos_;
  std::string data_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_FORMATS_GGUF_GGUF_WRITER_H_
