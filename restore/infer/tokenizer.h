// Turns text into token ids and ids into text, with the tokenizer of a NETWORK section (docs/format.md §9). Core code:
// built unchanged for host and board.
#ifndef MODELVAULT_RESTORE_INFER_TOKENIZER_H_
#define MODELVAULT_RESTORE_INFER_TOKENIZER_H_

#include "codec/core/bytes.h"
#include "codec/core/core_status.h"
#include "restore/core/proven_chunks.h"

namespace modelvault {

inline constexpr size_t kTokenizerHeadSize = 16;
inline constexpr size_t kTokenEntrySize = 4;  // The lower 24 bits: where in the text; the upper 8: how many bytes.
inline constexpr unsigned kTokenOffsetBits = 24;
inline constexpr size_t kPieceEntrySize = 4;
inline constexpr uint16_t kNoToken = 0xFFFF;
inline constexpr uint8_t kTokenizerLeadingSpace = 1;  // A flag: a text that is not empty gets a space before it.

// A view of the section, which must outlive it. Immutable.
class Tokenizer {
 public:
  // Checks everything; `bytes` begins at a multiple of 4. kBadNetwork: malformed, and *bad_offset is about where.
  [[nodiscard]] CoreStatus Parse(ByteView bytes, size_t* bad_offset);

  // The same for bytes that were found sound before, by Parse() or as a part of ParseNetwork()'s section: without the
  // checks.
  void View(ByteView sound);

  size_t token_count() const { return token_count_; }
  // What begins and ends a text; kNoToken: nothing does.
  uint16_t begin_token() const { return begin_token_; }
  uint16_t end_token() const { return end_token_; }

  // The bytes that token `id` stands for; none for the tokens that begin and end texts and for ids that do not exist.
  ByteView Text(uint16_t id) const { return id < token_count_ ? TokenText(id) : ByteView(); }

  // The most tokens that a text of so many bytes becomes.
  static constexpr size_t MostTokens(size_t text_size) { return text_size + 2; }

  // Encodes `text` into the first *count of `ids`, begin_token() first if there is one: characters become pieces, or
  // byte tokens where there is no such piece; then, as long as two neighbours together are a piece, the pair whose piece
  // has the lowest rank becomes it, the first of equal ones. `ids` and `merges`, which only this uses, have room for
  // `room` numbers each.
  // kWorkspaceTooSmall: that is less than MostTokens(text.size). kNotFound: the byte at text[*bad_offset] is no piece's
  // and there are no byte tokens. The time grows with the square of the text's size; `observer` is called once a merge.
  [[nodiscard]] CoreStatus Encode(ByteView text, uint16_t* ids, uint16_t* merges, size_t room, size_t* count,
                                  size_t* bad_offset, ReadObserver observer = {}) const;

 private:
  static constexpr size_t kNoPiece = 0xFFFF;

  ByteView TokenText(size_t id) const {
    const uint32_t entry = LoadAligned32(tokens_ + kTokenEntrySize * id);
    return {text_ + (entry & ((1u << kTokenOffsetBits) - 1)), entry >> kTokenOffsetBits};
  }
  uint16_t PieceToken(size_t piece) const { return LoadAligned16(pieces_ + kPieceEntrySize * piece); }
  uint16_t PieceRank(size_t piece) const { return LoadAligned16(pieces_ + kPieceEntrySize * piece + 2); }
  bool IsByteToken(uint16_t id) const {
    return first_byte_token_ != kNoToken && id >= first_byte_token_ && id - first_byte_token_ < 256;
  }
  void ReadHead(ByteView bytes);
  void PlaceTables(ByteView bytes);
  size_t TextOffset() const {
    return kTokenizerHeadSize + kTokenEntrySize * token_count_ + kPieceEntrySize * piece_count_;
  }
  bool TokensAreSound(size_t text_size, size_t* bad_token) const;
  bool PiecesAreSound(size_t* bad_piece) const;
  size_t FindPiece(ByteView head, ByteView tail) const;
  size_t FindMerge(uint16_t left, uint16_t right) const;
  bool AppendCharacters(ByteView text, uint16_t* ids, size_t* count, size_t* bad_offset, ReadObserver observer) const;
  size_t Merge(uint16_t* ids, uint16_t* merges, size_t count, ReadObserver observer) const;

  const uint8_t* tokens_ = nullptr;
  const uint8_t* pieces_ = nullptr;  // By their bytes.
  const uint8_t* text_ = nullptr;
  size_t token_count_ = 0;
  size_t piece_count_ = 0;
  size_t longest_ = 0;  // Bytes of the longest piece.
  uint16_t begin_token_ = kNoToken;
  uint16_t end_token_ = kNoToken;
  uint16_t first_byte_token_ = kNoToken;  // Of 256 in a row.
  bool leading_space_ = false;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_INFER_TOKENIZER_H_
