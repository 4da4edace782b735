// A trusting board's life, cut off everywhere: choices of variants, revocation lists, vaults put into each other's
// place, key sets. All that the board writes meanwhile, the boot selection, its state and the list's sector, lies on
// one simulated chip. Each chapter is run once without a cut, then anew for each of its flash operations with the power
// cut there; and whenever the board has its power back, whoever has it in hand tries what is old, revoked or not
// signed.
#ifndef MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_TRUST_CAMPAIGN_H_
#define MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_TRUST_CAMPAIGN_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "firmware_riscv/app/device_trust.h"
#include "firmware_riscv/boot/boot.h"
#include "tests/firmware_riscv/boot/mapped_nor.h"
#include "tests/firmware_riscv/signed_bytes.h"
#include "tests/firmware_riscv/update/cut_campaign.h"
#include "vault/core/crypto.h"
#include "vault/core/vault_view.h"
#include "vault/crypto.h"

namespace modelvault {

// The host's cryptography, between whose calls what a cut left half done reads anew. A signature that was checked once
// is not checked again.
class StirringCrypto {
 public:
  static const mv_crypto* Functions(MappedNor* stirred) {
    stirred_ = stirred;
    static const Crypto functions = {HashBegin,          HashAdd,          HostCrypto().hash_end, Verify,
                                     HostCrypto().agree, HostCrypto().open};
    return reinterpret_cast<const mv_crypto*>(&functions);
  }

 private:
  static void HashBegin(HashState* state, const uint8_t* key) {
    stirred_->Stir();
    HostCrypto().hash_begin(state, key);
  }
  static void HashAdd(HashState* state, const uint8_t* bytes, size_t size) {
    HostCrypto().hash_add(state, bytes, size);
    stirred_->Stir();
  }
  static bool Verify(const uint8_t* signature, const uint8_t* message, size_t size, const uint8_t* key) {
    static std::map<std::string, bool> known;
    std::string all(reinterpret_cast<const char*>(signature), kSignatureSize);
    all.append(reinterpret_cast<const char*>(message), size).append(reinterpret_cast<const char*>(key), kPublicKeySize);
    const auto [found, is_new] = known.try_emplace(all, false);
    if (is_new) found->second = HostCrypto().verify(signature, message, size, key);
    stirred_->Stir();
    return found->second;
  }
  static inline MappedNor* stirred_ = nullptr;
};

// What the board is given in the campaign. Variants are dept-0 to dept-3, of which dept-3 hangs the board.
class Supplies {
 public:
  enum Vault { kVersion3, kVersion4, kRotated5, kUnsigned, kByReplacedKey9, kVaults };
  enum List { kNoList, kList1, kList2, kList3, kListOfNextKeys4, kUnsignedList9, kLists };

  static const Supplies& Get() {
    static const Supplies* const supplies = new Supplies();
    return *supplies;
  }

  ByteView vault(Vault v) const { return {reinterpret_cast<const uint8_t*>(words_[v].data()), sizes_[v]}; }
  const std::string& list(List l) const { return lists_[l]; }
  const Digest& anchor() const { return anchor_; }
  // By the list with this number, which is all that a later one revokes, too.
  static bool Revokes(uint64_t number, const std::string& name) {
    return (name == "dept-1" && number >= 2) || (name == "dept-2" && number >= 3);
  }

 private:
  Supplies() {
    const TestKey ann(1), eve(66);
    const KeySet set = TestKeySet({ann}, 1);
    KeySet next = TestKeySet({eve}, 1, 2);
    SignNext(set, {ann}, &next);
    anchor_ = set.digest();
    const TempFolder folder;
    EXPECT_THAT(WriteVault(FileSystem::Default(), folder.File("v"), MakeTestContents(20, 4, 2000)), IsOk());
    const std::string bytes = folder.Read("v");
    SigningPlan plan = TestPlan(set), rotated = plan;
    rotated.key_sets.push_back(next);
    const auto sign = [&](SigningPlan by, uint64_t version, const TestKey& key) {
      by.version = version;
      return SignedBytes(bytes, by, {key});
    };
    Add(kVersion3, sign(plan, 3, ann));
    Add(kVersion4, sign(plan, 4, ann));
    Add(kRotated5, sign(rotated, 5, eve));
    Add(kUnsigned, bytes);
    Add(kByReplacedKey9, sign(plan, 9, ann));
    const Revocation one = RevokedVariant("dept-1"), two = RevokedVariant("dept-2");
    lists_[kList1] = RevocationBytes(plan, {}, 1, {ann});
    lists_[kList2] = RevocationBytes(plan, {one}, 2, {ann});
    lists_[kList3] = RevocationBytes(plan, {one, two}, 3, {ann});
    lists_[kListOfNextKeys4] = RevocationBytes(rotated, {one, two}, 4, {eve});
    lists_[kUnsignedList9] = RevocationBytes(plan, {}, 9, {});
  }
  void Add(Vault v, const std::string& bytes) {
    words_[v].resize((bytes.size() + 3) / 4);
    std::memcpy(words_[v].data(), bytes.data(), bytes.size());
    sizes_[v] = bytes.size();
  }

  std::vector<uint32_t> words_[kVaults];  // At multiples of 4.
  size_t sizes_[kVaults];
  std::string lists_[kLists];
  Digest anchor_;
};

// What must never happen, counted.
struct TrustHarm {
  int cuts = 0;
  int unbootable = 0;  // Nothing starts of a vault that should.
  int unsigned_ = 0;   // A vault starts that those who are trusted have not signed.
  int rollbacks = 0;   // One of a version below one that was remembered.
  int revoked = 0;     // A variant that a list revokes that was accepted once.
  int lost = 0;        // Neither the choice before nor the one after.
  int stuck = 0;       // The board does not get where it should.
  int misuses = 0;     // A unit was programmed twice.

  std::string first = {};  // Where the first of it was seen.

  int total() const { return unbootable + unsigned_ + rollbacks + revoked + lost + stuck + misuses; }
};

inline std::ostream& operator<<(std::ostream& os, const TrustHarm& harm) {
  return os << harm.cuts << " cuts: " << harm.unbootable << " unbootable, " << harm.unsigned_ << " unsigned, "
            << harm.rollbacks << " rollbacks, " << harm.revoked << " revoked, " << harm.lost << " lost, " << harm.stuck
            << " stuck, " << harm.misuses << " misuses" << harm.first;
}

// What happens to the board in a chapter, and what it runs at its end.
struct TrustChapter {
  Supplies::Vault vault;
  std::string runs;              // A name; empty: the base.
  const char* select = nullptr;  // From the console; null: nothing.
  Supplies::List list = Supplies::kNoList;
  bool list_is_good = true;  // Else it is refused.
};

inline std::vector<TrustChapter> TrustingLife() {
  return {
      {Supplies::kVersion3, "dept-0", "dept-0"},
      {Supplies::kVersion3, "dept-1", "dept-1"},
      {Supplies::kVersion3, "dept-1", "gone"},
      {Supplies::kVersion3, "", nullptr, Supplies::kList2},
      {Supplies::kVersion3, "dept-2", "dept-2", Supplies::kList1, false},
      {Supplies::kVersion3, "", nullptr, Supplies::kList3},
      {Supplies::kVersion3, "", nullptr, Supplies::kUnsignedList9, false},
      {Supplies::kVersion3, "dept-0", "dept-0"},
      {Supplies::kVersion4, "dept-0", "dept-3"},
      {Supplies::kRotated5, "dept-0", nullptr, Supplies::kListOfNextKeys4},
      {Supplies::kRotated5, "", "", Supplies::kList3, false},
      {Supplies::kRotated5, "dept-0", "dept-0"},
  };
}

// Thrown where a variant hangs the board, until its watchdog starts it anew.
struct Hangs {};

template <UpdateSteps kSteps>
class TrustingBoard {
 public:
  static constexpr uint32_t kSector = 512;
  static constexpr uint32_t kStateBegin = 2 * kSector, kListBegin = 5 * kSector, kChipSize = 6 * kSector;

  TrustingBoard() : chip_(kChipSize, kSector) {}

  NorChip& chip() { return chip_; }
  // `before`: what ran until now.
  void Begin(const std::string& before) {
    before_ = before;
    selected_ = listed_ = false;
  }

  // From a start to the next one, or to where the power goes. True if the chapter is at its end.
  bool Cycle(const TrustChapter& chapter, TrustHarm* harm) {
    try {
      return Start(chapter, false, harm);
    } catch (const Hangs&) {
      return false;
    }
  }

  // A start with what whoever has the board in hand puts there, on a copy of it.
  static void Attack(const TrustingBoard& board, const TrustChapter& chapter, TrustHarm* harm) {
    TrustChapter attack = chapter;
    for (const Supplies::Vault v : {Supplies::kUnsigned, Supplies::kVersion3, Supplies::kByReplacedKey9}) {
      attack.vault = v;
      TrustingBoard(board).TryAttack(attack, harm);
    }
    for (const Supplies::List l : {Supplies::kNoList, Supplies::kList1, Supplies::kList2, Supplies::kUnsignedList9}) {
      TrustingBoard copy(board);
      copy.PutList(Supplies::Get().list(l));
      copy.TryAttack(chapter, harm);
    }
  }

  void Audit(TrustHarm* harm) const {
    if (chip_.programmed_twice()) ++harm->misuses;
  }

 private:
  void TryAttack(const TrustChapter& attack, TrustHarm* harm) {
    try {
      Start(attack, true, harm);
    } catch (const Hangs&) {
    }
  }

  void PutList(const std::string& list) {
    const mv_region region = chip_.Region(kListBegin, kSector);
    region.erase(region.context, 0);
    if (!list.empty()) chip_.Put(kListBegin, list);
  }

  bool Start(const TrustChapter& chapter, bool attacked, TrustHarm* harm) {
    const Supplies& supplies = Supplies::Get();
    MappedNor selection_sectors(&chip_, 0, MV_SELECTION_SECTORS * kSector, kSector);
    MappedNor list_sector(&chip_, kListBegin, kSector, kSector);
    const mv_region state = chip_.Region(kStateBegin, kStateSectors * kSector);
    mv_trust anchor = {};
    anchor.key_set = supplies.anchor().data();
    anchor.revocations = list_sector.data();
    anchor.revocations_size = kSector;
    BasicDeviceTrust<kSteps> trust(&anchor, &state, nullptr);
    crypto_ = StirringCrypto::Functions(&list_sector);
    vault_ = supplies.vault(chapter.vault);
    mv_prove_vault(vault_.data, vault_.size, trust.trust(), crypto_, nullptr, &proof_, nullptr);
    if (proof_.base != MV_VERIFIED) {
      if (!attacked) ++harm->unbootable;
      return false;
    }
    Judge(chapter.vault, harm);

    const mv_flash driver = selection_sectors.Driver();
    BasicBootSelection<kSteps> selection(&driver);
    const BootHost host = {&Run, &Tell, this};
    judged_ = harm;
    chapter_ = &chapter;
    const BootResult result = proof_.variants == MV_VERIFIED ? Boot(&selection, host) : BootBase(host);
    const std::string runs(reinterpret_cast<const char*>(result.name.data), result.name.size);
    if (result.source == BootSource::kNothing) ++harm->unbootable;
    const bool whole_list = proof_.variants == MV_VERIFIED && chip_.IsSound(kListBegin, kSector);
    if (!attacked && whole_list && runs != before_ && runs != chapter.runs) ++harm->lost;

    if (trust.Remember(0, proof_) != MV_OK) return false;
    if (proof_.variants == MV_VERIFIED) {
      version_ = std::max(version_, proof_.version);
      revocation_ = std::max(revocation_, proof_.revocation);
      rotated_ = rotated_ || chapter.vault == Supplies::kRotated5;
    }
    if (attacked) return false;
    const bool at_end = runs == chapter.runs && (selected_ || chapter.select == nullptr) &&
                        (listed_ || chapter.list == Supplies::kNoList);
    return at_end || !(Offer(chapter, list_sector, &trust, harm) && Select(chapter, &selection));
  }

  // A vault whose base at least was proven.
  void Judge(Supplies::Vault vault, TrustHarm* harm) const {
    if (vault == Supplies::kUnsigned) ++harm->unsigned_;
    if (vault == Supplies::kByReplacedKey9 && rotated_) ++harm->unsigned_;
    if (proof_.version < version_) ++harm->rollbacks;
  }

  static uint32_t Run(void* self, ByteView name, mv_error* error) {
    TrustingBoard* const board = static_cast<TrustingBoard*>(self);
    const std::string text(reinterpret_cast<const char*>(name.data), name.size);
    *error = text.empty() ? MV_OK : board->Prove(text);
    if (*error != MV_OK) return MV_REJECTED;
    const uint64_t number = std::max(board->revocation_, board->proof_.revocation);
    if (Supplies::Revokes(number, text)) ++board->judged_->revoked;
    if (text == "dept-3") throw Hangs();
    return MV_VERIFIED;
  }

  // A choice that the board says it has given up is made again.
  static void Tell(void* self, const BootReport& report) {
    TrustingBoard* const board = static_cast<TrustingBoard*>(self);
    const bool gives_up = report.event == BootEvent::kGivenUp || report.event == BootEvent::kRejected;
    const TrustChapter& chapter = *board->chapter_;
    if (gives_up && chapter.select != nullptr && chapter.select == chapter.runs) board->selected_ = false;
  }

  mv_error Prove(const std::string& name) const {
    VaultHeader header;
    IndexView index;
    VariantEntry entry;
    const ByteView view = {reinterpret_cast<const uint8_t*>(name.data()), name.size()};
    if (ParseHeader(vault_.Sub(0, kHeaderSize), vault_.size, &header) != CoreStatus::kOk) return MV_BAD_HEADER;
    const SectionPlace& place = header.section(Section::kIndex);
    if (index.Open(header, vault_.Sub(place.offset, place.size)) != CoreStatus::kOk) return MV_BAD_INDEX;
    if (index.Find(view, &entry) != CoreStatus::kOk) return MV_NOT_FOUND;
    const mv_variant variant = {name.data(),
                                name.size(),
                                entry.xxh64,
                                static_cast<uint32_t>(entry.offset),
                                static_cast<uint32_t>(entry.size),
                                entry.checksum32,
                                nullptr};
    return mv_prove_variant(&proof_, &variant, crypto_, nullptr);
  }

  // False if the flash did not take it.
  bool Offer(const TrustChapter& chapter, const MappedNor& sector, BasicDeviceTrust<kSteps>* trust, TrustHarm* harm) {
    if (listed_ || chapter.list == Supplies::kNoList) return true;
    const std::string& list = Supplies::Get().list(chapter.list);
    const mv_error error = trust->ReplaceRevocations(
        proof_, crypto_, {reinterpret_cast<const uint8_t*>(list.data()), list.size()}, &sector.region());
    if (error == MV_FLASH_FAILED) return false;
    if ((error == MV_OK) != chapter.list_is_good) ++harm->unsigned_;
    listed_ = true;
    if (error == MV_OK && chapter.list_is_good) {
      revocation_ = std::max(revocation_, static_cast<uint64_t>(chapter.list));  // They are called by their numbers.
    }
    return true;
  }

  bool Select(const TrustChapter& chapter, BasicBootSelection<kSteps>* selection) {
    if (selected_ || chapter.select == nullptr) return true;
    const mv_error error =
        selection->Select({reinterpret_cast<const uint8_t*>(chapter.select), std::strlen(chapter.select)});
    selected_ = error == MV_OK;
    return selected_;
  }

  NorChip chip_;
  std::string before_;
  bool selected_ = false, listed_ = false;
  // What the board has acknowledged.
  uint64_t version_ = 0, revocation_ = 0;
  bool rotated_ = false;
  // Of this start.
  mv_proof proof_ = {};
  const mv_crypto* crypto_ = nullptr;
  ByteView vault_;
  TrustHarm* judged_ = nullptr;
  const TrustChapter* chapter_ = nullptr;
};

struct TrustCampaignOptions {
  int chapter = 0;        // The first that is cut.
  int begin = 0;          // The first operation of a chapter that is.
  int stride = 1;         // From there on.
  int second_stride = 0;  // Of those cut after that; 0: there is one cut.
  bool to_first_harm = false;
};

template <UpdateSteps kSteps>
class TrustCampaign : private CutCampaign<TrustingBoard<kSteps>, TrustChapter, TrustHarm> {
  using Base = CutCampaign<TrustingBoard<kSteps>, TrustChapter, TrustHarm>;
  using Base::Finish, Base::Note, Base::RunToCut, Base::harm_, Base::where_;

 public:
  using Board = TrustingBoard<kSteps>;

  explicit TrustCampaign(const TrustCampaignOptions& options) : options_(options) {}

  TrustHarm Run(const std::vector<TrustChapter>& life) {
    Board board;
    std::string before;
    for (const TrustChapter& chapter : life) {
      where_ = {static_cast<int>(&chapter - life.data())};
      board.Begin(before);
      const Board start = board;
      const int first = board.chip().operations();
      if (!Finish(&board, chapter)) return harm_;
      Board::Attack(board, chapter, &harm_);
      const int operations = board.chip().operations() - first;
      for (int n = options_.begin; n < operations && where_[0] >= options_.chapter && !IsDone(); n += options_.stride) {
        CutAt(start, chapter, n, operations);
      }
      Note();
      if (IsDone()) return harm_;
      before = chapter.runs;
    }
    return harm_;
  }

 private:
  bool IsDone() const { return options_.to_first_harm && harm_.total() > 0; }

  void CutAt(const Board& start, const TrustChapter& chapter, int n, int operations) {
    for (const ChipCut kind : kChipCuts) {
      Board cut = start;
      if (!RunToCut(&cut, chapter, n, kind)) return;
      for (const Mood mood : kMoods) {
        if (IsDone()) return;
        Board board = cut;
        board.chip().PowerUp(mood, 1000 + static_cast<uint64_t>(n));
        where_ = {where_[0], n, static_cast<int>(kind), static_cast<int>(mood), -1, -1, -1};
        if (options_.second_stride > 0) {
          for (int m = n % options_.second_stride; m < operations && !IsDone(); m += options_.second_stride) {
            CutAgain(board, chapter, m);
          }
        } else {
          Recover(&board, chapter);
        }
        if (kind != ChipCut::kInside) break;  // Nothing is half done.
      }
    }
  }

  void CutAgain(const Board& board, const TrustChapter& chapter, int m) {
    for (const ChipCut kind : kChipCuts) {
      Board again = board;
      where_[4] = m;
      where_[5] = static_cast<int>(kind);
      if (!RunToCut(&again, chapter, m, kind)) return;
      for (const Mood mood : kMoods) {
        where_[6] = static_cast<int>(mood);
        Board last = again;
        last.chip().PowerUp(mood, 77);
        Recover(&last, chapter);
        if (IsDone()) return;
      }
    }
  }

  void Recover(Board* board, const TrustChapter& chapter) {
    Board::Attack(*board, chapter, &harm_);
    if (!Finish(board, chapter)) return;
    board->Audit(&harm_);
    for (const Mood then : kMoods) {
      board->chip().PowerUp(then, 99);
      Board::Attack(*board, chapter, &harm_);
      Finish(board, chapter);
    }
    Note();
  }

  const TrustCampaignOptions options_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_FIRMWARE_RISCV_BOOT_TRUST_CAMPAIGN_H_
