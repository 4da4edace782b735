// codec/prefix_coding.cc and codec/core/prefix_code.cc: code lengths, their stored form, and the streams of such codes.
#include "codec/prefix_coding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <queue>
#include <vector>

#include "codec/core/prefix_code.h"
#include "tests/codec/model_fixture.h"

namespace modelvault {
namespace {

constexpr uint32_t kWhole = 1u << kMaxCodeLength;  // The sum of 2^-length of a complete code, times 2^kMaxCodeLength.

uint32_t KraftSum(const CodeLengths& lengths) {
  uint32_t sum = 0;
  for (uint8_t length : lengths.length) sum += length != 0 ? kWhole >> length : 0;
  return sum;
}

// Lengths of the given symbols.
CodeLengths Lengths(std::initializer_list<std::pair<uint8_t, uint8_t>> symbols) {
  CodeLengths lengths;
  for (const auto& [symbol, length] : symbols) lengths.length[symbol] = length;
  return lengths;
}

CodeLengths Only(uint8_t symbol) {
  CodeLengths lengths;
  lengths.only = symbol;
  return lengths;
}

// Symbols 0 … 10 with every length there is.
CodeLengths Comb() {
  CodeLengths lengths;
  for (uint8_t s = 0; s < kMaxCodeLength; ++s) lengths.length[s] = static_cast<uint8_t>(s + 1);
  lengths.length[kMaxCodeLength] = kMaxCodeLength;
  return lengths;
}

CoreStatus Read(const std::string& stored, CodeLengths* lengths, size_t* used = nullptr) {
  // An exact copy on the heap: a read past its end is one past the allocation's.
  const Bytes copy(stored.begin(), stored.end());
  ByteReader reader(View(copy));
  lengths->length.fill(77);
  unsigned longest = 77;
  const CoreStatus status = ReadCodeLengths(&reader, lengths->length.data(), &lengths->only, &longest);
  if (used != nullptr) *used = reader.position();
  if (status == CoreStatus::kOk) {
    EXPECT_EQ(longest, *std::max_element(lengths->length.begin(), lengths->length.end()));
  }
  return status;
}

// A table with its memory.
class BuiltTable {
 public:
  BuiltTable(const CodeLengths& lengths, unsigned bits) : memory_(PrefixTable::Size(bits)), table_{memory_.data(), bits} {
    table_.Build(lengths.length.data(), lengths.only);
  }
  BuiltTable(const BuiltTable&) = delete;
  BuiltTable& operator=(const BuiltTable&) = delete;

  const PrefixTable& operator*() const { return table_; }

 private:
  Bytes memory_;
  PrefixTable table_;
};

// The bits of the smallest table that holds `lengths`.
unsigned BitsFor(const CodeLengths& lengths) {
  const unsigned longest = *std::max_element(lengths.length.begin(), lengths.length.end());
  return longest <= kShortCodeLength ? kShortCodeLength : kMaxCodeLength;
}

constexpr int kShapes = 8;

Histogram RandomHistogram(Random* random, int shape) {
  Histogram h{};
  switch (shape) {
    case 0:  // One symbol.
      h[random->Byte()] = 1 + random->Below(1000);
      break;
    case 1:  // All symbols alike.
      h.fill(1 + random->Below(1000));
      break;
    case 2:  // One symbol has nearly everything, all others once.
      h.fill(1);
      h[random->Byte()] = uint64_t{1} << random->Below(50);
      break;
    case 3:  // A bell around zero, as weights have it.
      for (int i = 0; i < 20000; ++i) ++h[static_cast<uint8_t>(static_cast<int>(random->Normal() * 20))];
      break;
    case 4:  // Powers of two.
      for (size_t s = 0; s < 256; ++s) h[s] = uint64_t{1} << random->Below(40);
      break;
    case 5:  // Two symbols, far apart.
      h[0x80] = 1;
      h[0x7F] = uint64_t{1} << random->Below(50);
      break;
    case 6: {  // As each is the sum of the two before, Huffman's tree is as deep as can be.
      uint64_t a = 1, b = 1;
      for (uint64_t n = 2 + random->Below(60); n > 0; --n) {
        h[random->Byte()] = a;
        a = std::exchange(b, a + b);
      }
      break;
    }
    default:  // Some symbols.
      for (uint64_t n = 1 + random->Below(256); n > 0; --n) h[random->Byte()] += 1 + random->Below(100);
      break;
  }
  return h;
}

TEST(OptimalCodeLengthsTest, AreACompleteCodeOfTheSymbolsThatOccur) {
  for (int shape = 0; shape < kShapes; ++shape) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
      SCOPED_TRACE(testing::Message() << "shape " << shape << " seed " << seed);
      Random random(seed);
      const Histogram h = RandomHistogram(&random, shape);
      const CodeLengths lengths = OptimalCodeLengths(h);
      for (size_t s = 0; s < 256; ++s) ASSERT_EQ(lengths.Has(static_cast<uint8_t>(s)), h[s] != 0) << s;
      if (256 - std::count(h.begin(), h.end(), 0u) == 1) {
        EXPECT_EQ(h[static_cast<size_t>(lengths.only)] != 0, true);
        EXPECT_EQ(KraftSum(lengths), 0u);
        continue;
      }
      EXPECT_EQ(lengths.only, -1);
      EXPECT_EQ(KraftSum(lengths), kWhole);
      EXPECT_LE(*std::max_element(lengths.length.begin(), lengths.length.end()), kMaxCodeLength);
    }
  }
}

// The bits of Huffman's code, and how long its longest code word is.
std::pair<uint64_t, unsigned> Huffman(const Histogram& h) {
  using Node = std::pair<uint64_t, unsigned>;  // Weight and height.
  std::priority_queue<Node, std::vector<Node>, std::greater<Node>> nodes;
  for (uint64_t count : h) {
    if (count != 0) nodes.push({count, 0});
  }
  uint64_t bits = 0;
  while (nodes.size() > 1) {
    const Node a = nodes.top();
    nodes.pop();
    const Node b = nodes.top();
    nodes.pop();
    nodes.push({a.first + b.first, std::max(a.second, b.second) + 1});
    bits += a.first + b.first;
  }
  return {bits, nodes.top().second};
}

TEST(OptimalCodeLengthsTest, CostWhatHuffmansDoWhereNoneIsTooLong) {
  int free = 0, limited = 0;
  for (int shape = 0; shape < kShapes; ++shape) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
      SCOPED_TRACE(testing::Message() << "shape " << shape << " seed " << seed);
      Random random(seed);
      const Histogram h = RandomHistogram(&random, shape);
      const auto [bits, longest] = Huffman(h);
      const uint64_t cost = CodedBits(h, OptimalCodeLengths(h));
      if (longest <= kMaxCodeLength) {
        EXPECT_EQ(cost, bits);
        ++free;
      } else {
        EXPECT_GE(cost, bits);
        ++limited;
      }
    }
  }
  EXPECT_GT(free, 60);
  EXPECT_GT(limited, 60);
}

// The fewest bits of all complete codes for `counts`, which are sorted, the largest first: `left` of the Kraft sum is
// to be given away, and no code word may be shorter than `shortest`.
uint64_t FewestBits(absl::Span<const uint64_t> counts, uint32_t left, unsigned shortest) {
  if (counts.empty()) return left == 0 ? 0 : ~uint64_t{0};
  uint64_t best = ~uint64_t{0};
  for (unsigned length = shortest; length <= kMaxCodeLength; ++length) {
    const uint32_t unit = kWhole >> length;
    if (unit > left || left > unit * counts.size()) continue;  // Longer ones only take less.
    const uint64_t rest = FewestBits(counts.subspan(1), left - unit, length);
    if (rest != ~uint64_t{0}) best = std::min(best, rest + counts[0] * length);
  }
  return best;
}

TEST(OptimalCodeLengthsTest, NoCompleteCodeIsCheaper) {
  int limited = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const size_t count = 2 + random.Below(15);
    std::vector<uint64_t> counts(count);
    uint64_t a = 1, b = 1;
    for (uint64_t& n : counts) {
      if (seed % 3 == 0) n = 1 + (random.Next() >> 50 >> random.Below(14));
      if (seed % 3 == 1) n = uint64_t{1} << random.Below(12);
      if (seed % 3 == 2) n = std::exchange(a, std::exchange(b, a + b)) + random.Below(2);
    }
    Histogram h{};
    for (size_t i = 0; i < count; ++i) h[(17 * i + seed) % 256] = counts[i];
    std::sort(counts.begin(), counts.end(), std::greater<>());
    const uint64_t fewest = FewestBits(counts, kWhole, 1);
    ASSERT_EQ(CodedBits(h, OptimalCodeLengths(h)), fewest);
    limited += Huffman(h).first < fewest ? 1 : 0;
  }
  EXPECT_GT(limited, 20);
}

TEST(OptimalCodeLengthsTest, CostLittleMoreThanTheEntropy) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (int shape = 0; shape < kShapes; ++shape) {
      SCOPED_TRACE(testing::Message() << "shape " << shape << " seed " << seed);
      Random random(seed);
      const Histogram h = RandomHistogram(&random, shape);
      const double total = static_cast<double>(std::accumulate(h.begin(), h.end(), uint64_t{0}));
      double entropy = 0;
      for (uint64_t count : h) {
        if (count != 0) entropy -= static_cast<double>(count) * std::log2(static_cast<double>(count) / total);
      }
      const double bits = static_cast<double>(CodedBits(h, OptimalCodeLengths(h)));
      EXPECT_GE(bits, entropy * (1 - 1e-12));
      // Huffman's are less than a bit a symbol above it. The limit of 10 bits costs 256 symbols less than
      // 1/1.618 bit more: R. Milidiu and E. Laber, "Bounding the inefficiency of length-restricted prefix codes".
      EXPECT_LE(bits, entropy + 1.62 * total);
      if (shape == 1) {
        EXPECT_EQ(bits, 8 * total);
      }
      if (shape == 3) {
        EXPECT_LE(bits, entropy * 1.01);
      }
    }
  }
}

TEST(OptimalCodeLengthsTest, OfEquallyRareSymbolsTheFirstInSignedOrderAreLongest) {
  // The choice is free; it is fixed so that every machine writes the same vault.
  Histogram h{};
  h[0xFE] = h[0xFF] = h[0] = h[1] = h[2] = 7;
  EXPECT_EQ(OptimalCodeLengths(h), Lengths({{0xFE, 3}, {0xFF, 3}, {0, 2}, {1, 2}, {2, 2}}));
}

TEST(CodedBitsTest, CountsEachSymbolsBits) {
  Histogram h{};
  h[0xFF] = 3;
  h[0] = 10;
  h[1] = 5;
  EXPECT_EQ(CodedBits(h, Lengths({{0xFF, 2}, {0, 1}, {1, 2}})), 3u * 2 + 10 + 5 * 2);
  EXPECT_EQ(CodedBits(Histogram{}, Comb()), 0u);
}

TEST(StoredCodeLengthsTest, ComeBackAndNothingIsReadBeyondThem) {
  for (int shape = 0; shape < kShapes; ++shape) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
      SCOPED_TRACE(testing::Message() << "shape " << shape << " seed " << seed);
      Random random(seed);
      const CodeLengths lengths = OptimalCodeLengths(RandomHistogram(&random, shape));
      const std::string stored = SerializeCodeLengths(lengths);
      CodeLengths read;
      size_t used;
      ASSERT_EQ(Read(stored + "next", &read, &used), CoreStatus::kOk);
      ASSERT_EQ(used, stored.size());
      ASSERT_EQ(read, lengths);
      for (size_t cut = 0; cut < stored.size(); ++cut) {
        ASSERT_EQ(Read(stored.substr(0, cut), &read), CoreStatus::kTruncated) << "cut to " << cut;
      }
    }
  }
}

TEST(StoredCodeLengthsTest, AreTheDocumentedBytes) {
  EXPECT_EQ(SerializeCodeLengths(Only(5)), "\x05\x05");
  EXPECT_EQ(SerializeCodeLengths(Only(0)), std::string("\0\0", 2));
  // FF, 00, 01 in signed order; the last byte has a nibble to spare.
  EXPECT_EQ(SerializeCodeLengths(Lengths({{0xFF, 2}, {0, 1}, {1, 2}})), "\xFF\x01\x12\x02");
  // 80 … 83, the lowest there are, two of which do not occur.
  EXPECT_EQ(SerializeCodeLengths(Lengths({{0x80, 1}, {0x83, 1}})), "\x80\x83\x01\x10");
  EXPECT_EQ(SerializeCodeLengths(Comb()), std::string("\x00\x0A\x21\x43\x65\x87\xA9\x0A", 8));
}

TEST(StoredCodeLengthsTest, AreRefusedWhereMalformed) {
  struct Case {
    const char* what;
    std::string stored;
    CoreStatus status;
  };
  const Case cases[] = {
      {"a single symbol", "\x05\x05", CoreStatus::kOk},
      {"three symbols", "\xFF\x01\x12\x02", CoreStatus::kOk},
      {"all lengths", std::string("\x00\x0A\x21\x43\x65\x87\xA9\x0A", 8), CoreStatus::kOk},
      {"ends before it begins, in signed order", "\x05\x80\x11\x11\x11", CoreStatus::kBadTable},
      {"ends before it begins by one", "\x05\x04\x11", CoreStatus::kBadTable},
      {"nonzero padding", "\xFF\x01\x12\x12", CoreStatus::kBadTable},
      {"a length of 11", std::string("\x00\x0B\x21\x43\x65\x87\xA9\xBB", 8), CoreStatus::kBadTable},
      {"a length of 15 beside a complete code", "\xFE\x01\xF1\x21\x02", CoreStatus::kBadTable},
      {"too few code words", "\xFF\x01\x12\x03", CoreStatus::kBadTable},
      {"too many code words", "\xFF\x01\x12\x01", CoreStatus::kBadTable},
      {"far too many code words", "\x80\x7F" + std::string(128, '\x11'), CoreStatus::kBadTable},
      {"no code words", std::string("\xFF\x01\x00\x00", 4), CoreStatus::kBadTable},
      {"the first does not occur", "\xFE\x01\x20\x21", CoreStatus::kBadTable},
      {"the last does not occur", std::string("\xFF\x02\x12\x02", 4), CoreStatus::kBadTable},
      {"all alike", "\x80\x7F" + std::string(128, '\x88'), CoreStatus::kOk},
      {"empty", "", CoreStatus::kTruncated},
      {"a last nibble's byte missing", "\xFF\x01\x12", CoreStatus::kTruncated},
  };
  for (const Case& c : cases) {
    CodeLengths lengths;
    EXPECT_EQ(Read(c.stored, &lengths), c.status) << c.what;
  }
}

TEST(StoredCodeLengthsTest, AnyBytesAreACompleteCodeOrAnError) {
  Random random(7);
  int good = 0;
  for (int i = 0; i < 20000; ++i) {
    Histogram h{};
    for (uint64_t n = 1 + random.Below(8); n > 0; --n) h[100 + random.Below(12)] += 1 + random.Below(100);
    std::string stored = SerializeCodeLengths(OptimalCodeLengths(h));
    for (uint64_t n = random.Below(3); n > 0; --n) {
      char& c = stored[random.Below(stored.size())];
      c = static_cast<char>(c ^ (1 << random.Below(8)));
    }
    CodeLengths lengths;
    if (Read(stored, &lengths) != CoreStatus::kOk) continue;
    ++good;
    ASSERT_EQ(KraftSum(lengths), lengths.only < 0 ? kWhole : 0);
    for (uint8_t length : lengths.length) ASSERT_LE(length, kMaxCodeLength);
  }
  EXPECT_GT(good, 5000);
}

// docs/format.md §3 to the letter: the code words, their first bit highest; going by length, then in signed order.
std::array<uint32_t, 256> CanonicalWords(const CodeLengths& lengths) {
  std::array<uint32_t, 256> words{};
  bool first = true;
  uint32_t word = 0;
  unsigned before = 0;
  for (unsigned length = 1; length <= kMaxCodeLength; ++length) {
    for (int s = -128; s < 128; ++s) {
      const uint8_t symbol = static_cast<uint8_t>(s);
      if (lengths.length[symbol] != length) continue;
      word = first ? 0 : (word + 1) << (length - before);
      words[symbol] = word;
      before = length;
      first = false;
    }
  }
  return words;
}

uint32_t Reversed(uint32_t word, unsigned length) {
  uint32_t reversed = 0;
  for (unsigned i = 0; i < length; ++i) reversed |= ((word >> i) & 1) << (length - 1 - i);
  return reversed;
}

TEST(PrefixCodeTest, WordsAndTablesAreTheCanonicalCode) {
  for (int shape = 0; shape < kShapes; ++shape) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      SCOPED_TRACE(testing::Message() << "shape " << shape << " seed " << seed);
      Random random(seed);
      const unsigned limit = seed % 2 == 0 ? kShortCodeLength : kMaxCodeLength;
      const CodeLengths lengths = OptimalCodeLengths(RandomHistogram(&random, shape), limit);
      const BuiltTable built(lengths, limit);
      const PrefixTable& table = *built;
      const PrefixCode code(lengths);
      EXPECT_EQ(code.lengths(), lengths);
      const std::array<uint32_t, 256> words = CanonicalWords(lengths);
      uint32_t entries = 0;
      for (unsigned s = 0; s < 256; ++s) {
        const uint8_t symbol = static_cast<uint8_t>(s);
        const unsigned length = lengths.length[symbol];
        if (!lengths.Has(symbol)) continue;
        const uint32_t word = Reversed(words[symbol], length);
        ASSERT_EQ(code.word(symbol), word);
        for (uint32_t after = 0; after < (1u << limit) >> length; ++after, ++entries) {
          const uint32_t bits = word | (after << length) | (uint32_t{random.Byte()} << 24);
          ASSERT_EQ(table.symbol(table.Index(bits)), symbol);
          ASSERT_EQ(table.length(table.Index(bits)), length);
        }
      }
      EXPECT_EQ(entries, 1u << limit);
    }
  }
}

TEST(PrefixCodeTest, NextReversedCountsWithTheFirstBitLowest) {
  for (unsigned length = 1; length <= kMaxCodeLength; ++length) {
    for (uint32_t word = 0; word + 1 < 1u << length; ++word) {
      ASSERT_EQ(NextReversed(Reversed(word, length), length), Reversed(word + 1, length)) << length << " " << word;
    }
  }
}

TEST(PrefixEncoderTest, WritesTheDocumentedBits) {
  EXPECT_EQ(PrefixEncoder().Finish(), "\x01");
  // 00 is 0, FF is 10, 01 is 11. FF, 01, 00, then 5 as four raw bits (1010), a one: 1011 0101 and 01 of the next byte.
  const PrefixCode code(Lengths({{0xFF, 2}, {0, 1}, {1, 2}}));
  PrefixEncoder encoder;
  encoder.Symbol(code, 0xFF);
  encoder.Symbol(code, 1);
  encoder.Symbol(code, 0);
  encoder.Raw(5, 4);
  EXPECT_EQ(encoder.Finish(), "\xAD\x02");
  EXPECT_EQ(encoder.Finish(), "\x01") << "the encoder is not empty afterwards";
  encoder.Raw(0xAB, 8);
  encoder.Raw(0x12345678, 32);
  EXPECT_EQ(encoder.Finish(), "\xAB\x78\x56\x34\x12\x01");
}

// --- Streams.

// One call of the decoder, and the bytes it gives.
struct Item {
  enum Kind { kSymbol, kRaw, kRun, kRunPlanes } kind;
  unsigned parameter;       // kRaw: bits; kRunPlanes: the first plane.
  size_t table;             // kSymbol, kRun.
  std::vector<int> planes;  // kRunPlanes: table numbers, or -1.
  Bytes bytes;
};

// Some codes with their tables: bell-shaped, with the longest code words, a single symbol, two symbols, all alike.
class Codes {
 public:
  Codes() {
    Random random(21);
    for (const CodeLengths& lengths :
         {OptimalCodeLengths(RandomHistogram(&random, 3)), OptimalCodeLengths(RandomHistogram(&random, 6)), Comb(),
          Only(0xC3), Lengths({{7, 1}, {8, 1}}), OptimalCodeLengths(RandomHistogram(&random, 1)),
          OptimalCodeLengths(RandomHistogram(&random, 3), kShortCodeLength)}) {
      codes_.emplace_back(lengths);
      tables_.push_back(std::make_unique<BuiltTable>(lengths, BitsFor(lengths)));
    }
  }

  size_t size() const { return codes_.size(); }
  const PrefixCode& code(size_t i) const { return codes_[i]; }
  const PrefixTable& table(size_t i) const { return **tables_[i]; }

  // Any symbol of code `i`, all alike: long code words are as frequent as short ones.
  uint8_t RandomSymbol(Random* random, size_t i) const {
    for (;;) {
      const uint8_t symbol = codes_[i].lengths().only >= 0 ? 0xC3 : random->Byte();
      if (codes_[i].lengths().Has(symbol)) return symbol;
    }
  }

 private:
  std::vector<PrefixCode> codes_;
  std::vector<std::unique_ptr<BuiltTable>> tables_;
};

std::vector<Item> RandomItems(const Codes& codes, Random* random, size_t count) {
  std::vector<Item> items;
  for (size_t i = 0; i < count; ++i) {
    Item item{static_cast<Item::Kind>(random->Below(4)), 0, 0, {}, {}};
    switch (item.kind) {
      case Item::kSymbol:
        item.table = random->Below(codes.size());
        item.bytes = {codes.RandomSymbol(random, item.table)};
        break;
      case Item::kRaw:
        item.parameter = static_cast<unsigned>(random->Below(9));
        item.bytes = {static_cast<uint8_t>(random->Below(uint64_t{1} << item.parameter))};
        break;
      case Item::kRun:
        item.table = random->Below(codes.size());
        item.bytes.resize(random->Below(random->Chance(0.2) ? 100 : 8));
        for (uint8_t& b : item.bytes) b = codes.RandomSymbol(random, item.table);
        break;
      case Item::kRunPlanes: {
        unsigned planes = 1u << random->Below(4);
        for (unsigned p = 0; p < planes; ++p) item.planes.push_back(random->Between(-1, 6));
        if (random->Chance(0.4)) {  // Floats: the lowest planes raw, mostly all but the top.
          planes = 4;
          item.planes = {-1, -1, random->Chance(0.8) ? -1 : 4, random->Between(random->Chance(0.1) ? -1 : 0, 5)};
        }
        item.parameter = static_cast<unsigned>(random->Below(planes));
        item.bytes.resize(random->Below(20));
        for (size_t at = 0; at < item.bytes.size(); ++at) {
          const int table = item.planes[(item.parameter + at) % planes];
          item.bytes[at] = table < 0 ? random->Byte() : codes.RandomSymbol(random, static_cast<size_t>(table));
        }
        break;
      }
    }
    items.push_back(std::move(item));
  }
  return items;
}

// The stream, and how many bits it had before its end.
std::string Encode(const Codes& codes, const std::vector<Item>& items, size_t* bits) {
  PrefixEncoder encoder;
  *bits = 0;
  const auto put = [&](int table, uint8_t byte) {
    if (table < 0) {
      encoder.Raw(byte, 8);
      *bits += 8;
    } else {
      encoder.Symbol(codes.code(static_cast<size_t>(table)), byte);
      *bits += codes.code(static_cast<size_t>(table)).lengths().length[byte];
    }
  };
  for (const Item& item : items) {
    if (item.kind == Item::kRaw) {
      encoder.Raw(item.bytes[0], item.parameter);
      *bits += item.parameter;
      continue;
    }
    for (size_t at = 0; at < item.bytes.size(); ++at) {
      put(item.kind == Item::kRunPlanes ? item.planes[(item.parameter + at) % item.planes.size()]
                                        : static_cast<int>(item.table),
          item.bytes[at]);
    }
  }
  std::string stream = encoder.Finish();
  EXPECT_EQ(stream.size(), *bits / 8 + 1);
  return stream;
}

// Whether the stream decodes, ends where it must, and says the same as `items`. It may begin at any address: `shift`
// bytes after a multiple of four, exactly as large, so that a read past its end is one past an allocation's.
bool Says(absl::string_view stream, const Codes& codes, const std::vector<Item>& items, size_t shift) {
  const std::unique_ptr<uint8_t[]> memory(new uint8_t[shift + stream.size()]);
  std::fill_n(memory.get(), shift, uint8_t{0xFF});
  std::copy(stream.begin(), stream.end(), memory.get() + shift);
  PrefixDecoder decoder;
  if (!decoder.Start({memory.get() + shift, stream.size()})) return false;
  for (const Item& item : items) {
    const int64_t before = decoder.unread_bits();
    const std::unique_ptr<uint8_t[]> out(new uint8_t[item.bytes.size()]);
    switch (item.kind) {
      case Item::kSymbol:
        out[0] = decoder.Symbol(codes.table(item.table));
        break;
      case Item::kRaw:
        out[0] = static_cast<uint8_t>(decoder.Raw(item.parameter));
        break;
      case Item::kRun:
        decoder.Run(codes.table(item.table), out.get(), item.bytes.size());
        break;
      case Item::kRunPlanes: {
        std::vector<const PrefixTable*> tables;
        for (int table : item.planes) tables.push_back(table < 0 ? nullptr : &codes.table(static_cast<size_t>(table)));
        decoder.RunPlanes(tables.data(), static_cast<unsigned>(tables.size()), item.parameter, out.get(),
                          item.bytes.size());
        break;
      }
    }
    EXPECT_LE(decoder.unread_bits(), before);
    if (!std::equal(item.bytes.begin(), item.bytes.end(), out.get())) return false;
  }
  return decoder.AtEnd();
}

bool SaysFromAnywhere(absl::string_view stream, const Codes& codes, const std::vector<Item>& items) {
  int says = 0;
  for (size_t shift = 0; shift < 4; ++shift) says += Says(stream, codes, items, shift) ? 1 : 0;
  EXPECT_TRUE(says == 0 || says == 4) << "it depends on the address";
  return says == 4;
}

TEST(PrefixStreamTest, WhatWasWrittenIsRead) {
  const Codes codes;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const std::vector<Item> items = RandomItems(codes, &random, random.Below(seed < 150 ? 8 : 150));
    size_t bits;
    const std::string stream = Encode(codes, items, &bits);
    ASSERT_TRUE(SaysFromAnywhere(stream, codes, items));
  }
}

TEST(PrefixStreamTest, RunsOfEveryLengthFromEveryPlaceAreRead) {
  const Codes codes;
  Random random(22);
  for (size_t table = 0; table < codes.size(); ++table) {
    for (size_t size = 0; size < 40; ++size) {
      for (unsigned before = 0; before <= 8; ++before) {
        Item run{Item::kRun, 0, table, {}, Bytes(size)};
        for (uint8_t& b : run.bytes) b = codes.RandomSymbol(&random, table);
        const std::vector<Item> items = {{Item::kRaw, before, 0, {}, {0}}, run, {Item::kRaw, 3, 0, {}, {5}}};
        size_t bits;
        ASSERT_TRUE(SaysFromAnywhere(Encode(codes, items, &bits), codes, items)) << table << " " << size;
      }
    }
  }
}

TEST(PrefixStreamTest, OfEveryByteIsKnownHowManyBitsAreLeft) {
  // Streams of every size from every address, read in steps of every width.
  for (size_t size = 1; size <= 20; ++size) {
    for (size_t shift = 0; shift < 4; ++shift) {
      for (unsigned width = 1; width <= 8; ++width) {
        Random random(size);
        const Bytes stream = random.Uniform(size);
        const std::unique_ptr<uint8_t[]> memory(new uint8_t[shift + size]);
        std::copy(stream.begin(), stream.end(), memory.get() + shift);
        PrefixDecoder decoder;
        ASSERT_TRUE(decoder.Start({memory.get() + shift, size}));
        int64_t at = 0;
        ASSERT_EQ(decoder.unread_bits(), static_cast<int64_t>(8 * size));
        for (int step = 0; step < 300; ++step, at += width) {
          uint32_t expected = 0;
          for (unsigned i = 0; i < width; ++i) {
            const size_t bit = static_cast<size_t>(at) + i;
            if (bit < 8 * size) expected |= ((stream[bit / 8] >> bit % 8) & 1u) << i;
          }
          ASSERT_EQ(decoder.Raw(width), expected) << size << " " << shift << " " << width << " " << at;
          ASSERT_EQ(decoder.unread_bits(), static_cast<int64_t>(8 * size) - at - width);
        }
      }
    }
  }
}

TEST(PrefixStreamTest, IsAtItsEndWhereTheOneBitAndOnlyZerosFollow) {
  // Every stream of two bytes, read to every bit.
  PrefixDecoder decoder;
  for (uint32_t stored = 0; stored < 65536; stored += stored < 512 ? 1 : 37) {
    const Bytes stream = {static_cast<uint8_t>(stored), static_cast<uint8_t>(stored >> 8)};
    for (unsigned read = 0; read <= 24; ++read) {
      ASSERT_TRUE(decoder.Start(View(stream)));
      for (unsigned i = 0; i < read; ++i) decoder.Raw(1);
      const bool at_end = read >= 8 && read < 16 && stored >> read == 1;
      ASSERT_EQ(decoder.AtEnd(), at_end) << stored << " " << read;
    }
  }
}

TEST(PrefixStreamTest, EveryTruncationAndEveryByteTooManyIsDetected) {
  const Codes codes;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const std::vector<Item> items = RandomItems(codes, &random, 40);
    size_t bits;
    const std::string stream = Encode(codes, items, &bits);
    for (size_t size = 0; size < stream.size(); ++size) {
      ASSERT_FALSE(SaysFromAnywhere(absl::string_view(stream).substr(0, size), codes, items)) << "cut to " << size;
    }
    for (const std::string& more : {std::string(1, '\0'), std::string(1, '\1'), std::string(1, '\x80'),
                                    std::string(2, '\0'), std::string(4, '\0'), std::string(5, '\xFF')}) {
      ASSERT_FALSE(SaysFromAnywhere(stream + more, codes, items)) << more.size() << " bytes more";
    }
  }
}

TEST(PrefixStreamTest, EveryBitFlipIsDetectedOrSaysSomethingElse) {
  const Codes codes;
  for (uint64_t seed = 0; seed < 16; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const std::vector<Item> items = RandomItems(codes, &random, 12);
    size_t bits;
    const std::string stream = Encode(codes, items, &bits);
    // The bit that marks the end and the zeros after it included.
    for (size_t bit = 0; bit < 8 * stream.size(); ++bit) {
      std::string flipped = stream;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      ASSERT_FALSE(SaysFromAnywhere(flipped, codes, items)) << bit << " of " << bits;
    }
  }
}

TEST(PrefixStreamTest, AStreamThatRanOutStaysOut) {
  const Codes codes;
  const Bytes stream(7, 0xFF);
  PrefixDecoder decoder;
  ASSERT_TRUE(decoder.Start(View(stream)));
  uint8_t out[200];
  decoder.Run(codes.table(2), out, 5);  // All ones: the last of the comb, ten bits.
  EXPECT_EQ(decoder.unread_bits(), 6);
  EXPECT_EQ(out[4], 10);
  decoder.Run(codes.table(2), out, 200);
  EXPECT_EQ(out[0], 6);  // Six ones and a zero that is not there.
  EXPECT_EQ(out[199], 0);
  EXPECT_EQ(decoder.unread_bits(), -200);
  EXPECT_FALSE(decoder.AtEnd());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(decoder.Raw(8), 0u);
    EXPECT_FALSE(decoder.AtEnd());
  }
  EXPECT_EQ(decoder.unread_bits(), -8200);
}

TEST(PrefixStreamTest, AnEmptyStreamIsNone) {
  PrefixDecoder decoder;
  EXPECT_FALSE(decoder.AtEnd());
  const Bytes good = {0x01};
  ASSERT_TRUE(decoder.Start(View(good)));
  EXPECT_TRUE(decoder.AtEnd());
  EXPECT_FALSE(decoder.Start({nullptr, 0}));
  EXPECT_FALSE(decoder.AtEnd());
  EXPECT_EQ(decoder.Raw(8), 0u);
  EXPECT_FALSE(decoder.AtEnd());
}

// Bytes as they are, from any place to any place, whatever bits come before.
TEST(PrefixStreamTest, RawBytesComeByWordsFromAnyPlaceToAnyPlace) {
  Random random(77);
  for (unsigned bits_before = 0; bits_before < 40; ++bits_before) {
    for (const size_t size : {0, 1, 3, 4, 15, 16, 17, 33, 64, 100, 515}) {
      PrefixEncoder encoder;
      Bytes expected;
      for (unsigned i = 0; i < bits_before; ++i) encoder.Raw(i & 1, 1);
      for (size_t i = 0; i < size; ++i) {
        expected.push_back(static_cast<uint8_t>(random.Next()));
        encoder.Raw(expected.back(), 8);
      }
      encoder.Raw(5, 3);
      const std::string stream = encoder.Finish();
      for (size_t from = 0; from < 4; ++from) {
        // Exactly as large as it must be, so that whoever reads past the end is told.
        std::vector<uint8_t> stored(from + stream.size());
        std::copy(stream.begin(), stream.end(), stored.begin() + static_cast<ptrdiff_t>(from));
        for (size_t to = 0; to < 4; ++to) {
          for (const size_t cut : {size_t{0}, size / 3}) {
            PrefixDecoder decoder;
            ASSERT_TRUE(decoder.Start({stored.data() + from, stream.size()}));
            for (unsigned i = 0; i < bits_before; ++i) ASSERT_EQ(decoder.Raw(1), i & 1);
            std::vector<uint8_t> out(to + size);
            decoder.RunRaw(out.data() + to, cut);
            decoder.RunRaw(out.data() + to + cut, size - cut);
            ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.begin() + static_cast<ptrdiff_t>(to)))
                << bits_before << " bits, then " << size << " bytes, from " << from << " to " << to;
            EXPECT_EQ(decoder.Raw(3), 5u);
            EXPECT_TRUE(decoder.AtEnd());
          }
        }
      }
    }
  }
}

TEST(PrefixStreamTest, RawBytesThatAreNotThereAreMadeUpAndNoted) {
  const Bytes stored = {1, 2, 3, 4, 5, 1};
  PrefixDecoder decoder;
  ASSERT_TRUE(decoder.Start(View(stored)));
  Bytes out(50, 0xEE);
  decoder.RunRaw(out.data(), 40);
  EXPECT_EQ(Bytes(out.begin(), out.begin() + 5), Bytes(stored.begin(), stored.begin() + 5));
  EXPECT_EQ(out[40], 0xEE);
  EXPECT_FALSE(decoder.AtEnd());
}

}  // namespace
}  // namespace modelvault
