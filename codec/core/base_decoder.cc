#include "codec/core/base_decoder.h"

namespace modelvault {

BaseDecoder::BaseDecoder(const Model* model, uint32_t chunk_size, ChunkSource source, TableCache* cache)
    : model_(model),
      chunk_size_(chunk_size),
      source_(source),
      cache_(cache),
      position_(0),
      chunk_end_(0),
      tensor_index_(0),
      in_tensor_(0),
      row_known_(false),
      row_kind_(0),
      planes_{},
      row_table_(nullptr),
      near_table_(nullptr) {
  memset(cache_->tag, 0, sizeof(cache_->tag));
  cache_->next = 0;
}

const DecodeTable* BaseDecoder::Table(uint8_t number) {
  if (number == kRawPlane) return nullptr;
  for (size_t i = 0; i < kMaxTablesPerTensor; ++i) {
    if (cache_->tag[i] == number + 1) return &cache_->tables[i];
  }
  // First in, first out would evict a table that this very tensor has just looked up; skip those.
  size_t slot = cache_->next;
  for (;;) {
    const DecodeTable* candidate = &cache_->tables[slot];
    bool wanted = candidate == row_table_ || candidate == near_table_;
    for (const DecodeTable* plane : planes_) wanted = wanted || candidate == plane;
    if (!wanted) break;
    slot = (slot + 1) % kMaxTablesPerTensor;
    if (slot == cache_->next) break;  // Cannot happen: a tensor has at most as many tables as there are slots.
  }
  cache_->next = static_cast<uint8_t>((slot + 1) % kMaxTablesPerTensor);
  uint16_t frequencies[256];
  model_->ReadTable(number, frequencies);
  cache_->tables[slot].Build(frequencies);
  cache_->tag[slot] = static_cast<uint16_t>(number + 1);
  return &cache_->tables[slot];
}

CoreStatus BaseDecoder::EnterTensor(size_t index) {
  tensor_index_ = index;
  row_known_ = false;
  row_kind_ = 0;
  const TensorRecord& t = model_->tensor(index);
  for (const DecodeTable*& plane : planes_) plane = nullptr;
  row_table_ = near_table_ = nullptr;
  // Tables already there are claimed first, so that the rest cannot evict them.
  for (int pass = 0; pass < 2; ++pass) {
    auto claim = [&](uint8_t number, const DecodeTable** place) {
      if (number == kRawPlane || *place != nullptr) return;
      bool cached = false;
      for (uint16_t tag : cache_->tag) cached = cached || tag == number + 1;
      if (cached || pass == 1) *place = Table(number);
    };
    for (unsigned plane = 0; plane < t.element_size; ++plane) claim(t.tables[plane], &planes_[plane]);
    claim(t.row_table, &row_table_);
    claim(t.near_table, &near_table_);
  }
  return CoreStatus::kOk;
}

CoreStatus BaseDecoder::StartChunk(uint64_t chunk) {
  chunk_end_ = position_;  // No chunk in progress should anything fail.
  ByteView stored;
  const CoreStatus fetched = source_.fetch(source_.context, chunk, &stored);
  if (fetched != CoreStatus::kOk) return fetched;
  if (!rans_.Start(stored)) return CoreStatus::kBadStream;
  ++chunks_begun_;
  position_ = chunk * chunk_size_;
  const uint64_t left = model_->data_size() - position_;
  chunk_end_ = position_ + (left < chunk_size_ ? left : chunk_size_);
  const size_t index = model_->FindTensor(position_);
  in_tensor_ = position_ - model_->tensor(index).offset;
  row_known_ = false;
  return EnterTensor(index);
}

// Decodes `size` bytes, all inside the chunk in progress.
CoreStatus BaseDecoder::Produce(uint8_t* out, size_t size) {
  while (size > 0) {
    const TensorRecord* t = &model_->tensor(tensor_index_);
    while (in_tensor_ == t->size) {  // Over the end, and over empty tensors.
      in_tensor_ = 0;
      EnterTensor(tensor_index_ + 1);
      t = &model_->tensor(tensor_index_);
    }
    size_t run = size;
    if (run > t->size - in_tensor_) run = static_cast<size_t>(t->size - in_tensor_);
    if (t->flags & kFlagDictionary) {
      const uint64_t column = in_tensor_ % t->cols;
      if (!row_known_ || column == 0) {
        row_kind_ = row_table_->Decode(&rans_);
        row_known_ = true;
        if (row_kind_ > t->dictionary_rows) return CoreStatus::kBadStream;
      }
      if (run > t->cols - column) run = static_cast<size_t>(t->cols - column);
    }
    // The coder's state stays in registers through each of these loops.
    RansDecoder rans = rans_;
    if (row_kind_ != 0) {
      const uint64_t column = in_tensor_ % t->cols;
      const uint8_t* like = model_->dictionary(*t) + (row_kind_ - 1u) * static_cast<size_t>(t->cols) + column;
      const DecodeTable* table = near_table_;
      for (size_t i = 0; i < run; ++i) out[i] = static_cast<uint8_t>(like[i] + table->Decode(&rans));
    } else if (t->element_size == 1 && planes_[0] != nullptr) {
      const DecodeTable* table = planes_[0];
      for (size_t i = 0; i < run; ++i) out[i] = table->Decode(&rans);
    } else {
      const unsigned element = t->element_size;
      unsigned plane = static_cast<unsigned>(in_tensor_ % element);
      for (size_t i = 0; i < run; ++i) {
        const DecodeTable* table = planes_[plane];
        out[i] = table != nullptr ? table->Decode(&rans) : static_cast<uint8_t>(rans.Raw(8));
        if (++plane == element) plane = 0;
      }
    }
    rans_ = rans;
    out += run;
    size -= run;
    in_tensor_ += run;
    position_ += run;
  }
  return CoreStatus::kOk;
}

CoreStatus BaseDecoder::Read(uint64_t offset, ByteSpan out) {
  const uint64_t data_size = model_->data_size();
  if (offset > data_size || out.size > data_size - offset) return CoreStatus::kBadArgument;
  size_t done = 0;
  while (done < out.size) {
    const uint64_t want = offset + done;
    CoreStatus status = CoreStatus::kOk;
    if (position_ != want || position_ == chunk_end_) {
      // Forward inside the chunk in progress is cheaper than from its start.
      const bool ahead = position_ < want && want < chunk_end_;
      if (!ahead) status = StartChunk(want / chunk_size_);
      uint8_t skipped[64];
      while (status == CoreStatus::kOk && position_ < want) {
        const uint64_t gap = want - position_;
        status = Produce(skipped, gap < sizeof(skipped) ? static_cast<size_t>(gap) : sizeof(skipped));
      }
    }
    if (status == CoreStatus::kOk) {
      size_t run = out.size - done;
      if (run > chunk_end_ - position_) run = static_cast<size_t>(chunk_end_ - position_);
      status = Produce(out.data + done, run);
      done += run;
    }
    if (status == CoreStatus::kOk && position_ == chunk_end_ && !rans_.AtEnd()) status = CoreStatus::kBadStream;
    if (status != CoreStatus::kOk) {
      chunk_end_ = position_;  // Whatever comes next begins a chunk anew.
      return status;
    }
  }
  return CoreStatus::kOk;
}

}  // namespace modelvault
