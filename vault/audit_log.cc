#include "vault/audit_log.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/manifest.pb.h"
#include "vault/core/vault_proof.h"
#include "vault/crypto.h"
#include "vault/deterministic_bytes.h"
#include "vault/section_encoder.h"

namespace modelvault {
namespace {

constexpr char kLogLabel[] = "modelvault log";
constexpr LogActionKind kLastKind = LogActionKind::kRestated;

void Fill(const LogAction& action, LogRecord::Action* out) {
  out->set_kind(static_cast<uint32_t>(action.kind));
  out->set_name(action.name);
  out->set_new_name(action.new_name);
  if (action.digest != LogAction().digest) out->set_digest(action.digest.data(), action.digest.size());
  out->set_count(action.count);
}

bool Take(const LogRecord::Action& in, LogAction* action) {
  if (in.kind() == 0 || in.kind() > static_cast<uint32_t>(kLastKind)) return false;
  action->kind = static_cast<LogActionKind>(in.kind());
  action->name = in.name();
  action->new_name = in.new_name();
  action->count = in.count();
  if (in.digest().empty()) return true;
  if (in.digest().size() != action->digest.size()) return false;
  std::copy(in.digest().begin(), in.digest().end(), action->digest.begin());
  return true;
}

bool Parse(absl::string_view bytes, LogEntry* entry) {
  LogRecord record;
  if (bytes.size() > std::numeric_limits<int>::max() ||
      !record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return false;
  }
  entry->version = record.version();
  entry->time = record.time();
  for (const LogRecord::Action& action : record.actions()) {
    if (!Take(action, &entry->actions.emplace_back())) return false;
  }
  for (const std::string& key : record.signers_before()) {
    PublicKey& signer = entry->signers_before.emplace_back();
    if (key.size() != signer.size()) return false;
    std::copy(key.begin(), key.end(), signer.begin());
  }
  return true;
}

}  // namespace

Digest ChainLog(const Digest& before, absl::string_view entry) {
  const ByteView parts[] = {{before.data(), before.size()}, ToByteView(entry)};
  Digest digest;
  LabelledDigest(kLogLabel, parts, std::size(parts), HostCrypto(), digest.data());
  return digest;
}

void AppendLog(const LogEntry& entry, StoredLog* log) {
  LogRecord record;
  record.set_version(entry.version);
  record.set_time(entry.time);
  for (const LogAction& action : entry.actions) Fill(action, record.add_actions());
  for (const PublicKey& key : entry.signers_before) record.add_signers_before(key.data(), key.size());
  log->entries.push_back(DeterministicBytes(record));
  log->digest = ChainLog(log->digest, log->entries.back());
}

std::vector<Digest> ChainOf(const StoredLog& log) {
  std::vector<Digest> chain;
  Digest digest = {};
  for (const std::string& entry : log.entries) {
    digest = ChainLog(digest, entry);
    chain.push_back(digest);
  }
  return chain;
}

absl::StatusOr<std::vector<LogEntry>> DecodeLog(const StoredLog& log) {
  const std::vector<Digest> chain = ChainOf(log);
  if ((chain.empty() ? Digest{} : chain.back()) != log.digest) {
    return absl::DataLossError(
        absl::StrCat("the log's digest is not that of its ", log.entries.size(), " entries: they were changed"));
  }
  std::vector<LogEntry> entries;
  for (const std::string& bytes : log.entries) {
    if (!Parse(bytes, &entries.emplace_back())) {
      return absl::DataLossError(absl::StrCat("the log's entry ", entries.size(), " does not parse"));
    }
  }
  return entries;
}

uint64_t LogTime() {
  uint64_t seconds = 0;
  const char* const fixed = std::getenv("SOURCE_DATE_EPOCH");
  if (fixed != nullptr && absl::SimpleAtoi(fixed, &seconds)) return seconds;
  return static_cast<uint64_t>(std::time(nullptr));
}

}  // namespace modelvault
