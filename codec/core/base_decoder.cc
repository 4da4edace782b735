#include "codec/core/base_decoder.h"

namespace modelvault {

BaseDecoder::BaseDecoder(const SharedTables* shared, uint32_t chunk_size, ChunkSource source, TableCache* cache)
    : shared_(shared),
      chunk_size_(chunk_size),
      source_(source),
      cache_(cache),
      position_(0),
      chunk_end_(0),
      tensor_index_(0),
      in_tensor_(0),
      row_known_(false),
      row_kind_(0),
      row_skip_(0),
      row_differs_(false),
      planes_{},
      skip_table_(nullptr),
      near_table_(nullptr) {
  memset(cache_->tag, 0, sizeof(cache_->tag));
  cache_->next = 0;
  const unsigned bits = shared->code_bits();
  for (size_t i = 0; i < kMaxTablesPerTensor; ++i) {
    cache_->tables[i] = {cache_->memory + i * PrefixTable::Size(bits), bits};
  }
}

const PrefixTable* BaseDecoder::Table(uint8_t number) {
  if (number == kRawPlane) return nullptr;
  for (size_t i = 0; i < kMaxTablesPerTensor; ++i) {
    if (cache_->tag[i] == number + 1) return &cache_->tables[i];
  }
  // First in, first out would evict a table that this very tensor has just looked up; skip those.
  size_t slot = cache_->next;
  for (;;) {
    const PrefixTable* candidate = &cache_->tables[slot];
    bool wanted = candidate == skip_table_ || candidate == near_table_;
    for (const PrefixTable* plane : planes_) wanted = wanted || candidate == plane;
    if (!wanted) break;
    slot = (slot + 1) % kMaxTablesPerTensor;
    if (slot == cache_->next) break;  // Cannot happen: a tensor has at most as many tables as there are slots.
  }
  cache_->next = static_cast<uint8_t>((slot + 1) % kMaxTablesPerTensor);
  uint8_t lengths[256];
  int only;
  shared_->ReadTable(number, lengths, &only);
  cache_->tables[slot].Build(lengths, only);
  cache_->tag[slot] = static_cast<uint16_t>(number + 1);
  return &cache_->tables[slot];
}

void BaseDecoder::EnterTensor(size_t index) {
  tensor_index_ = index;
  row_known_ = false;
  row_kind_ = 0;
  const TensorRecord& t = shared_->tensor(index);
  for (const PrefixTable*& plane : planes_) plane = nullptr;
  skip_table_ = near_table_ = nullptr;
  // Tables already there are claimed first, so that the rest cannot evict them.
  for (int pass = 0; pass < 2; ++pass) {
    auto claim = [&](uint8_t number, const PrefixTable** place) {
      if (number == kRawPlane || *place != nullptr) return;
      bool cached = false;
      for (uint16_t tag : cache_->tag) cached = cached || tag == number + 1;
      if (cached || pass == 1) *place = Table(number);
    };
    for (unsigned plane = 0; plane < t.element_size; ++plane) claim(t.tables[plane], &planes_[plane]);
    claim(t.skip_table, &skip_table_);
    claim(t.near_table, &near_table_);
  }
}

CoreStatus BaseDecoder::StartChunk(size_t chunk) {
  chunk_end_ = position_;  // No chunk in progress should anything fail.
  ByteView stored;
  const CoreStatus fetched = source_.fetch(source_.context, chunk, &stored);
  if (fetched != CoreStatus::kOk) return fetched;
  if (!stream_.Start(stored)) return CoreStatus::kBadStream;
  ++chunks_begun_;
  position_ = chunk * chunk_size_;
  const size_t left = shared_->data_size() - position_;
  chunk_end_ = position_ + (left < chunk_size_ ? left : chunk_size_);
  const size_t index = shared_->FindTensor(position_);
  in_tensor_ = position_ - shared_->tensor(index).offset;
  EnterTensor(index);
  return CoreStatus::kOk;
}

// How the row that begins here, or goes on here in a new chunk, is coded.
CoreStatus BaseDecoder::ReadRowKind(const TensorRecord& t) {
  row_known_ = true;
  row_kind_ = 0;
  row_skip_ = 0;
  row_differs_ = false;
  if (stream_.Raw(1) == 0) return CoreStatus::kOk;
  unsigned width = 0;
  while ((t.dictionary_rows - 1u) >> width != 0) ++width;
  const uint32_t row = stream_.Raw(width);
  if (row >= t.dictionary_rows) return CoreStatus::kBadStream;
  row_kind_ = static_cast<uint8_t>(row + 1);
  return CoreStatus::kOk;
}

// `size` bytes of a copied row, from `column` on; `rest` ≥ size are left of it in this chunk.
CoreStatus BaseDecoder::ProduceCopy(const TensorRecord& t, size_t column, size_t rest, uint8_t* out, size_t size) {
  memcpy(out, shared_->dictionary(t) + (row_kind_ - 1u) * t.cols + column, size);
  size_t at = 0;
  while (at < size) {
    if (row_skip_ > 0) {
      const size_t like = row_skip_ < size - at ? row_skip_ : size - at;
      at += like;
      row_skip_ -= like;
    } else if (row_differs_) {
      out[at] = static_cast<uint8_t>(out[at] + stream_.Symbol(*near_table_));
      ++at;
      row_differs_ = false;
    } else {
      row_skip_ = stream_.Symbol(*skip_table_);
      row_differs_ = row_skip_ != kSkipOn;
      if (row_skip_ > rest - at) return CoreStatus::kBadStream;
    }
  }
  return CoreStatus::kOk;
}

// Decodes `size` bytes, all inside the chunk in progress.
CoreStatus BaseDecoder::Produce(uint8_t* out, size_t size) {
  while (size > 0) {
    const TensorRecord* t = &shared_->tensor(tensor_index_);
    while (in_tensor_ == t->size) {  // Over the end, and over empty tensors.
      in_tensor_ = 0;
      EnterTensor(tensor_index_ + 1);
      t = &shared_->tensor(tensor_index_);
    }
    size_t run = size;
    if (run > t->size - in_tensor_) run = t->size - in_tensor_;
    if (t->flags & kFlagDictionary) {
      const size_t column = in_tensor_ % t->cols;
      if (!row_known_ || column == 0) {
        const CoreStatus read = ReadRowKind(*t);
        if (read != CoreStatus::kOk) return read;
      }
      size_t rest = t->cols - column;
      if (rest > chunk_end_ - position_) rest = chunk_end_ - position_;
      if (run > rest) run = rest;
      if (row_kind_ != 0) {
        const CoreStatus produced = ProduceCopy(*t, column, rest, out, run);
        if (produced != CoreStatus::kOk) return produced;
      }
    }
    if (row_kind_ != 0) {
      // Done above.
    } else if (t->element_size == 1 && planes_[0] != nullptr) {
      stream_.Run(*planes_[0], out, run);
    } else {
      stream_.RunPlanes(planes_, t->element_size, static_cast<unsigned>(in_tensor_ & (t->element_size - 1u)), out, run);
    }
    out += run;
    size -= run;
    in_tensor_ += run;
    position_ += run;
  }
  return CoreStatus::kOk;
}

CoreStatus BaseDecoder::Read(size_t offset, ByteSpan out) {
  const size_t data_size = shared_->data_size();
  if (offset > data_size || out.size > data_size - offset) return CoreStatus::kBadArgument;
  size_t done = 0;
  while (done < out.size) {
    const size_t want = offset + done;
    CoreStatus status = CoreStatus::kOk;
    if (position_ != want || position_ == chunk_end_) {
      // Forward inside the chunk in progress is cheaper than from its start.
      const bool ahead = position_ < want && want < chunk_end_;
      if (!ahead) status = StartChunk(want / chunk_size_);
      uint8_t skipped[64];
      while (status == CoreStatus::kOk && position_ < want) {
        const size_t gap = want - position_;
        status = Produce(skipped, gap < sizeof(skipped) ? gap : sizeof(skipped));
      }
    }
    if (status == CoreStatus::kOk) {
      size_t run = out.size - done;
      if (run > chunk_end_ - position_) run = chunk_end_ - position_;
      status = Produce(out.data + done, run);
      done += run;
    }
    if (status == CoreStatus::kOk && position_ == chunk_end_ && !stream_.AtEnd()) status = CoreStatus::kBadStream;
    if (status != CoreStatus::kOk) {
      chunk_end_ = position_;  // Whatever comes next begins a chunk anew.
      return status;
    }
  }
  return CoreStatus::kOk;
}

}  // namespace modelvault
