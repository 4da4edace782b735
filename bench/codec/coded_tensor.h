// One tensor of a base, and of a variant, with the MODEL both are coded by.
#ifndef MODELVAULT_BENCH_CODEC_CODED_TENSOR_H_
#define MODELVAULT_BENCH_CODEC_CODED_TENSOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "codec/core/shared_tables.h"
#include "codec/core/variant_layout.h"
#include "codec/layout_encoder.h"
#include "codec/model_tensor.h"
#include "codec/shared_tables_builder.h"

namespace modelvault::bench {

class CodedTensor {
 public:
  // `siblings` are variants of the base's dtype from which priors are learnt. The variant may have a dtype of its own.
  // Ends the program if anything fails.
  CodedTensor(ModelTensor spec, std::vector<uint8_t> base, const std::vector<std::vector<uint8_t>>& siblings,
              DType variant_dtype);
  CodedTensor(const CodedTensor&) = delete;
  CodedTensor& operator=(const CodedTensor&) = delete;

  const std::vector<uint8_t>& base() const { return base_; }
  uint64_t elements() const { return spec_.rows() * spec_.cols(); }
  const SharedTables& shared() const { return shared_->tables(); }
  const VariantLayout& layout() const { return layout_; }

  // The stored chunks of the base.
  std::vector<std::string> EncodeBase(uint32_t chunk_size) const;

  // The one segment of a variant.
  std::string Encode(const std::vector<uint8_t>& variant) const;
  // Decodes it over the prediction. False if the stream is not exactly it.
  bool Decode(const std::string& segment, std::vector<uint8_t>* variant) const;
  // How the tensor was coded in it.
  TensorMode ModeOf(const std::string& segment) const;

 private:
  bool DecodeStrips(const std::string& segment, std::vector<uint8_t>* variant, TensorMode* mode) const;

  ModelTensor spec_;
  std::vector<uint8_t> base_;
  std::unique_ptr<const ParsedSharedTables> shared_;
  std::vector<VariantTensor> tensors_;
  VariantLayout layout_;
};

}  // namespace modelvault::bench

#endif  // MODELVAULT_BENCH_CODEC_CODED_TENSOR_H_
