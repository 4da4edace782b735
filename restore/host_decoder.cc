#include "restore/host_decoder.h"

#include <algorithm>

namespace modelvault {
namespace {

absl::Span<const uint8_t> SpanOf(ByteView view) { return {view.data, view.size}; }

}  // namespace

HostBaseDecoder::HostBaseDecoder(const VaultReader* reader, const SharedTables* shared)
    : reader_(reader), layout_(shared) {}

// Finds the chunk's blocks; none of them is decoded yet.
CoreStatus HostBaseDecoder::Load(size_t number, Chunk** chunk) {
  for (size_t i = 0; i < chunks_.size(); ++i) {
    if (chunks_[i].number != number) continue;
    last_ = i;
    *chunk = &chunks_[i];
    return CoreStatus::kOk;
  }
  last_ = (last_ + 1) % chunks_.size();
  Chunk& loaded = chunks_[last_];
  loaded.number = SIZE_MAX;
  loaded.blocks.clear();
  error_ = reader_->ReadBaseChunk(number, &loaded.stored);
  if (!error_.ok()) return CoreStatus::kReadFailed;
  const VaultHeader& header = reader_->header();
  const size_t begin = number * header.chunk_size;
  loaded.bytes.resize(header.chunk_raw_size(number));
  ByteReader stored({loaded.stored.data(), loaded.stored.size()});
  PieceCursor pieces(&layout_, begin, begin + loaded.bytes.size());
  for (Block block; pieces.Next(&block.piece);) {
    if (const CoreStatus status = NextBlock(&stored, &block.stored); status != CoreStatus::kOk) return status;
    loaded.blocks.push_back(block);
  }
  if (stored.remaining() != 0) return CoreStatus::kBadStream;
  loaded.number = number;
  *chunk = &loaded;
  return CoreStatus::kOk;
}

// Those that hold bytes of [begin, end) of the base's data, which lie in the chunk.
CoreStatus HostBaseDecoder::DecodeBlocks(Chunk* chunk, size_t begin, size_t end) {
  const size_t chunk_begin = chunk->number * reader_->header().chunk_size;
  auto block = std::partition_point(chunk->blocks.begin(), chunk->blocks.end(),
                                    [&](const Block& b) { return b.piece.end() <= begin; });
  for (; block != chunk->blocks.end() && block->piece.offset < end; ++block) {
    if (block->decoded) continue;
    const Piece& piece = block->piece;
    const CoreStatus status = DecodeBlock(piece.dtype, SpanOf(block->stored), {}, &scratch_,
                                          absl::MakeSpan(chunk->bytes).subspan(piece.offset - chunk_begin, piece.size));
    if (status != CoreStatus::kOk) return status;
    block->decoded = true;
  }
  return CoreStatus::kOk;
}

CoreStatus HostBaseDecoder::View(size_t begin, size_t size, absl::Span<const uint8_t>* bytes) {
  const uint32_t chunk_size = reader_->header().chunk_size;
  const size_t end = begin + size;
  const bool in_one = size > 0 && begin / chunk_size == (end - 1) / chunk_size;
  if (!in_one) {
    copy_.resize(size);
    *bytes = copy_;
    return Read(begin, absl::MakeSpan(copy_));
  }
  Chunk* chunk;
  CoreStatus status = Load(begin / chunk_size, &chunk);
  if (status == CoreStatus::kOk) status = DecodeBlocks(chunk, begin, end);
  if (status == CoreStatus::kOk) *bytes = absl::MakeConstSpan(chunk->bytes).subspan(begin % chunk_size, size);
  return status;
}

// Blocks that are wanted whole are decoded where they are wanted.
CoreStatus HostBaseDecoder::ReadInChunk(size_t begin, absl::Span<uint8_t> out) {
  const size_t end = begin + out.size();
  Chunk* chunk;
  CoreStatus status = Load(begin / reader_->header().chunk_size, &chunk);
  if (status != CoreStatus::kOk) return status;
  for (const Block& block : chunk->blocks) {
    const Piece& piece = block.piece;
    if (piece.end() <= begin || piece.offset >= end) continue;
    const size_t from = std::max(begin, piece.offset);
    const absl::Span<uint8_t> to = out.subspan(from - begin, std::min(end, piece.end()) - from);
    if (!block.decoded && to.size() == piece.size) {
      status = DecodeBlock(piece.dtype, SpanOf(block.stored), {}, &scratch_, to);
    } else {
      status = DecodeBlocks(chunk, from, from + to.size());
      std::copy_n(chunk->bytes.data() + from % reader_->header().chunk_size, to.size(), to.data());
    }
    if (status != CoreStatus::kOk) return status;
  }
  return CoreStatus::kOk;
}

CoreStatus HostBaseDecoder::Read(size_t begin, absl::Span<uint8_t> out) {
  const uint32_t chunk_size = reader_->header().chunk_size;
  while (!out.empty()) {
    const size_t size = std::min<size_t>(out.size(), chunk_size - begin % chunk_size);
    if (const CoreStatus status = ReadInChunk(begin, out.first(size)); status != CoreStatus::kOk) return status;
    out.remove_prefix(size);
    begin += size;
  }
  return CoreStatus::kOk;
}

HostDecoder::HostDecoder(const VaultReader* reader, const VariantLayout* layout, const VaultBlob* blob)
    : reader_(reader),
      layout_(layout),
      blob_(blob != nullptr && !blob->empty() ? blob : nullptr),
      base_(reader, &layout->shared()) {}

CoreStatus HostDecoder::FindReference(const Piece& piece, absl::Span<const uint8_t>* reference) {
  const PieceReference from = ReferenceOf(*layout_, piece);
  *reference = {};
  if (from.prediction == Prediction::kZero) return CoreStatus::kOk;
  const CoreStatus status = base_.View(from.begin, from.size, reference);
  if (status == CoreStatus::kReadFailed) error_ = base_.error();
  if (status != CoreStatus::kOk || from.prediction == Prediction::kCopy) return status;
  predicted_.resize(from.elements * ElementSize(static_cast<uint8_t>(piece.dtype)));
  Predict(from.prediction, reference->data(), from.elements, predicted_.data());
  *reference = absl::MakeConstSpan(predicted_).first(piece.size);
  return CoreStatus::kOk;
}

// `out` holds the bytes from `begin` on, of which the piece has some.
CoreStatus HostDecoder::ReadBlock(const Piece& piece, ByteView stored, size_t begin, absl::Span<uint8_t> out) {
  absl::Span<const uint8_t> reference;
  if (const CoreStatus status = FindReference(piece, &reference); status != CoreStatus::kOk) return status;
  const size_t end = begin + out.size();
  if (piece.offset >= begin && piece.end() <= end) {
    return DecodeBlock(piece.dtype, SpanOf(stored), reference, &scratch_,
                       out.subspan(piece.offset - begin, piece.size));
  }
  whole_.resize(piece.size);
  const CoreStatus status = DecodeBlock(piece.dtype, SpanOf(stored), reference, &scratch_, absl::MakeSpan(whole_));
  if (status != CoreStatus::kOk) return status;
  const size_t from = std::max(begin, piece.offset);
  const size_t to = std::min(end, piece.end());
  std::copy_n(whole_.begin() + static_cast<ptrdiff_t>(from - piece.offset), to - from,
              out.begin() + static_cast<ptrdiff_t>(from - begin));
  return CoreStatus::kOk;
}

CoreStatus HostDecoder::Read(size_t begin, absl::Span<uint8_t> out) {
  position_ = begin;
  if (out.empty()) return CoreStatus::kOk;
  if (blob_ == nullptr) {
    const CoreStatus status = base_.Read(begin, out);
    error_ = base_.error();
    return status;
  }
  const uint32_t segment_size = reader_->header().segment_size;
  const size_t segment = begin / segment_size;
  error_ = reader_->ReadSegment(*blob_, segment, &segment_);
  if (!error_.ok()) return CoreStatus::kReadFailed;
  const size_t segment_begin = segment * segment_size;
  ByteReader stored({segment_.data(), segment_.size()});
  PieceCursor pieces(layout_, segment_begin,
                     std::min<size_t>(layout_->data_size() - segment_begin, segment_size) + segment_begin);
  for (Piece piece; pieces.Next(&piece);) {
    ByteView block;
    CoreStatus status = NextBlock(&stored, &block);
    if (status == CoreStatus::kOk && piece.end() > begin && piece.offset < begin + out.size()) {
      position_ = std::max(begin, piece.offset);
      status = ReadBlock(piece, block, begin, out);
    }
    if (status != CoreStatus::kOk) return status;
  }
  return stored.remaining() == 0 ? CoreStatus::kOk : CoreStatus::kBadStream;
}

}  // namespace modelvault
