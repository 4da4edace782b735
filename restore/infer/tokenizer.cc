#include "restore/infer/tokenizer.h"

namespace modelvault {
namespace {

// Orders `piece` against head and tail, one after the other: negative, 0 or positive, bytewise.
int Compare(ByteView piece, ByteView head, ByteView tail) {
  const size_t key_size = head.size + tail.size;
  const size_t shared = piece.size < key_size ? piece.size : key_size;
  for (size_t i = 0; i < shared; ++i) {
    const uint8_t byte = i < head.size ? head.data[i] : tail.data[i - head.size];
    if (piece.data[i] != byte) return piece.data[i] < byte ? -1 : 1;
  }
  return piece.size < key_size ? -1 : piece.size > key_size ? 1 : 0;
}

// Bytes of the character at text[at]: its lead byte and up to three that continue it. Text that is no UTF-8 falls apart
// in some way, always the same.
size_t CharacterSize(ByteView text, size_t at) {
  size_t size = 1;
  while (size < 4 && at + size < text.size && (text.data[at + size] & 0xC0) == 0x80) ++size;
  return size;
}

bool IsTokenOrNone(uint16_t id, size_t token_count) { return id < token_count || id == kNoToken; }

}  // namespace

void Tokenizer::ReadHead(ByteView bytes) {
  const uint8_t* const p = bytes.data;
  token_count_ = LoadLe16(p);
  piece_count_ = LoadLe16(p + 2);
  begin_token_ = LoadLe16(p + 4);
  end_token_ = LoadLe16(p + 6);
  first_byte_token_ = LoadLe16(p + 8);
  leading_space_ = p[10] == kTokenizerLeadingSpace;
  longest_ = p[11];
}

void Tokenizer::PlaceTables(ByteView bytes) {
  tokens_ = bytes.data + kTokenizerHeadSize;
  pieces_ = tokens_ + kTokenEntrySize * token_count_;
  text_ = bytes.data + TextOffset();
}

void Tokenizer::View(ByteView sound) {
  ReadHead(sound);
  PlaceTables(sound);
}

CoreStatus Tokenizer::Parse(ByteView bytes, size_t* bad_offset) {
  *bad_offset = 0;
  if (bytes.size < kTokenizerHeadSize) return CoreStatus::kBadNetwork;
  ReadHead(bytes);
  const uint8_t* const p = bytes.data;
  const size_t text_size = LoadLe32(p + 12);
  if (token_count_ == 0 || !IsTokenOrNone(begin_token_, token_count_) || !IsTokenOrNone(end_token_, token_count_) ||
      (p[10] & ~kTokenizerLeadingSpace) != 0 ||
      (first_byte_token_ != kNoToken && first_byte_token_ + size_t{256} > token_count_)) {
    return CoreStatus::kBadNetwork;
  }
  const size_t text_offset = TextOffset();
  *bad_offset = 12;
  if (bytes.size < text_offset || text_size > bytes.size - text_offset ||
      bytes.size != text_offset + (text_size + 3) / 4 * 4) {
    return CoreStatus::kBadNetwork;
  }
  PlaceTables(bytes);
  for (*bad_offset = text_offset + text_size; *bad_offset < bytes.size; ++*bad_offset) {
    if (p[*bad_offset] != 0) return CoreStatus::kBadNetwork;
  }
  size_t bad;
  if (!TokensAreSound(text_size, &bad)) {
    *bad_offset = kTokenizerHeadSize + kTokenEntrySize * bad;
    return CoreStatus::kBadNetwork;
  }
  if (!PiecesAreSound(&bad)) {
    *bad_offset = kTokenizerHeadSize + kTokenEntrySize * token_count_ + kPieceEntrySize * bad;
    return CoreStatus::kBadNetwork;
  }
  return CoreStatus::kOk;
}

bool Tokenizer::TokensAreSound(size_t text_size, size_t* bad_token) const {
  for (*bad_token = 0; *bad_token < token_count_; ++*bad_token) {
    const ByteView token = TokenText(*bad_token);
    const size_t offset = static_cast<size_t>(token.data - text_);
    if (offset > text_size || token.size > text_size - offset) return false;
    const uint16_t id = static_cast<uint16_t>(*bad_token);
    if (IsByteToken(id) && (token.size != 1 || token.data[0] != id - first_byte_token_)) return false;
  }
  return true;
}

bool Tokenizer::PiecesAreSound(size_t* bad_piece) const {
  size_t longest = 0;
  ByteView before;
  for (*bad_piece = 0; *bad_piece < piece_count_; ++*bad_piece) {
    const uint16_t id = PieceToken(*bad_piece);
    if (id >= token_count_) return false;
    const ByteView text = TokenText(id);
    // Each after the one before; the first after nothing, so none is empty.
    if (Compare(before, text, {}) >= 0) return false;
    if (text.size > longest) longest = text.size;
    before = text;
  }
  return longest == longest_;
}

// The piece that is `head` and `tail` together, or kNoPiece.
size_t Tokenizer::FindPiece(ByteView head, ByteView tail) const {
  if (head.size + tail.size > longest_) return kNoPiece;
  size_t low = 0;
  for (size_t high = piece_count_; low < high;) {
    const size_t middle = low + (high - low) / 2;
    const int order = Compare(TokenText(PieceToken(middle)), head, tail);
    if (order == 0) return middle;
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return kNoPiece;
}

size_t Tokenizer::FindMerge(uint16_t left, uint16_t right) const {
  if (IsByteToken(left) || IsByteToken(right)) return kNoPiece;
  return FindPiece(TokenText(left), TokenText(right));
}

bool Tokenizer::AppendCharacters(ByteView text, uint16_t* ids, size_t* count, size_t* bad_offset,
                                 ReadObserver observer) const {
  for (size_t at = 0; at < text.size;) {
    observer.Call();
    const size_t size = CharacterSize(text, at);
    const size_t piece = FindPiece(text.Sub(at, size), {});
    if (piece != kNoPiece) {
      ids[(*count)++] = PieceToken(piece);
    } else {
      if (first_byte_token_ == kNoToken) {
        *bad_offset = at;
        return false;
      }
      for (size_t i = 0; i < size; ++i) {
        ids[(*count)++] = static_cast<uint16_t>(first_byte_token_ + text.data[at + i]);
      }
    }
    at += size;
  }
  return true;
}

// merges[i]: the piece that ids[i] and ids[i + 1] together are.
size_t Tokenizer::Merge(uint16_t* ids, uint16_t* merges, size_t count, ReadObserver observer) const {
  for (size_t i = 0; i + 1 < count; ++i) {
    observer.Call();
    merges[i] = static_cast<uint16_t>(FindMerge(ids[i], ids[i + 1]));
  }
  for (;;) {
    observer.Call();
    size_t best = count;
    uint32_t best_rank = UINT32_MAX;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (merges[i] == kNoPiece) continue;
      const uint32_t rank = PieceRank(merges[i]);
      if (rank < best_rank) {
        best = i;
        best_rank = rank;
      }
    }
    if (best == count) return count;
    ids[best] = PieceToken(merges[best]);
    --count;
    memmove(ids + best + 1, ids + best + 2, (count - best - 1) * sizeof(*ids));
    memmove(merges + best, merges + best + 1, (count - best - 1) * sizeof(*merges));
    if (best > 0) merges[best - 1] = static_cast<uint16_t>(FindMerge(ids[best - 1], ids[best]));
    if (best + 1 < count) merges[best] = static_cast<uint16_t>(FindMerge(ids[best], ids[best + 1]));
  }
}

CoreStatus Tokenizer::Encode(ByteView text, uint16_t* ids, uint16_t* merges, size_t room, size_t* count,
                             size_t* bad_offset, ReadObserver observer) const {
  *count = 0;
  *bad_offset = 0;
  if (text.size > room || room < MostTokens(text.size)) return CoreStatus::kWorkspaceTooSmall;
  const bool begins = begin_token_ != kNoToken;
  if (begins) *ids++ = begin_token_;
  size_t characters = 0;
  if (leading_space_ && text.size > 0) {
    const uint8_t space = ' ';
    if (!AppendCharacters({&space, 1}, ids, &characters, bad_offset, observer)) return CoreStatus::kNotFound;
  }
  if (!AppendCharacters(text, ids, &characters, bad_offset, observer)) return CoreStatus::kNotFound;
  *count = Merge(ids, merges, characters, observer) + (begins ? 1 : 0);
  return CoreStatus::kOk;
}

}  // namespace modelvault
