#include "restore/c_api/failure.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "vault/error_place.h"
#include "vault/refusal.h"

// Plain, so that there can be one without memory.
struct mv_failure {
  mv_code code;
  const char* message;
  const char* path;
  const char* variant;
  const char* tensor;
  uint64_t offset;
  uint64_t data_offset;
};

namespace modelvault {
namespace {

constexpr mv_failure kNoFailure = {MV_CODE_OK, "", "", "", "", MV_NO_OFFSET, MV_NO_OFFSET};
constexpr mv_failure kOutOfMemory = {MV_CODE_OUT_OF_MEMORY, "out of memory", "", "", "", MV_NO_OFFSET, MV_NO_OFFSET};

// One with its texts. The base's members lead into this object's: it stays where it is.
struct OwnedFailure : mv_failure {
  OwnedFailure(mv_code why, absl::string_view what, const FailureContext& context)
      : mv_failure(kNoFailure),
        message_text(what),
        path_text(context.path),
        variant_text(context.variant),
        tensor_text(context.tensor) {
    code = why;
    message = message_text.c_str();
    path = path_text.c_str();
    variant = variant_text.c_str();
    tensor = tensor_text.c_str();
  }
  OwnedFailure(const OwnedFailure&) = delete;
  OwnedFailure& operator=(const OwnedFailure&) = delete;

  const std::string message_text;
  const std::string path_text;
  const std::string variant_text;
  const std::string tensor_text;
};

mv_code CodeOf(Refusal refusal) {
  switch (refusal) {
    case Refusal::kSealed:
      return MV_CODE_SEALED;
    case Refusal::kRolledBack:
      return MV_CODE_ROLLED_BACK;
    case Refusal::kExpired:
      return MV_CODE_EXPIRED;
    case Refusal::kRevoked:
      return MV_CODE_REVOKED;
    default:
      return MV_CODE_UNTRUSTED;
  }
}

mv_code CodeOf(const absl::Status& status) {
  if (const std::optional<Refusal> refusal = RefusalOf(status); refusal.has_value()) return CodeOf(*refusal);
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return MV_CODE_OK;
    case absl::StatusCode::kInvalidArgument:
      return MV_CODE_INVALID_ARGUMENT;
    case absl::StatusCode::kNotFound:
      return MV_CODE_NOT_FOUND;
    case absl::StatusCode::kAlreadyExists:
      return MV_CODE_ALREADY_EXISTS;
    case absl::StatusCode::kDataLoss:
      return MV_CODE_DAMAGED;
    case absl::StatusCode::kUnimplemented:
      return MV_CODE_UNSUPPORTED;
    case absl::StatusCode::kOutOfRange:
      return MV_CODE_BUFFER_TOO_SMALL;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return MV_CODE_STORAGE;
    case absl::StatusCode::kResourceExhausted:
      return MV_CODE_OUT_OF_MEMORY;
    case absl::StatusCode::kCancelled:
      return MV_CODE_CANCELLED;
    case absl::StatusCode::kUnknown:
      return MV_CODE_NOT_SYNCED;
    default:
      return MV_CODE_INTERNAL;
  }
}

const mv_failure& OrNone(const mv_failure* failure) { return failure != nullptr ? *failure : kNoFailure; }

}  // namespace

absl::Status Required(bool there, absl::string_view what) {
  return there ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat(what, " is NULL"));
}

mv_code EndCall(const absl::Status& status, const FailureContext& context, mv_failure** failure) {
  const mv_code code = CodeOf(status);
  if (failure == nullptr) return code;
  *failure = nullptr;
  if (code == MV_CODE_OK) return code;
  auto owned = std::make_unique<OwnedFailure>(code, status.message(), context);
  const ErrorPlace place = PlaceOf(status);
  owned->offset = place.file_offset.value_or(MV_NO_OFFSET);
  owned->data_offset = place.data_offset.value_or(MV_NO_OFFSET);
  *failure = owned.release();
  return code;
}

mv_code EndCallWithoutMemory(mv_failure** failure) noexcept {
  // Nobody writes to it: it is const to all callers but the one that frees it.
  if (failure != nullptr) *failure = const_cast<mv_failure*>(&kOutOfMemory);
  return MV_CODE_OUT_OF_MEMORY;
}

}  // namespace modelvault

extern "C" {

const char* mv_code_name(mv_code code) {
  switch (code) {
    case MV_CODE_OK:
      return "ok";
    case MV_CODE_INVALID_ARGUMENT:
      return "invalid-argument";
    case MV_CODE_NOT_FOUND:
      return "not-found";
    case MV_CODE_DAMAGED:
      return "damaged";
    case MV_CODE_UNSUPPORTED:
      return "unsupported";
    case MV_CODE_BUFFER_TOO_SMALL:
      return "buffer-too-small";
    case MV_CODE_STORAGE:
      return "storage";
    case MV_CODE_OUT_OF_MEMORY:
      return "out-of-memory";
    case MV_CODE_CANCELLED:
      return "cancelled";
    case MV_CODE_NOT_SYNCED:
      return "not-synced";
    case MV_CODE_INTERNAL:
      return "internal";
    case MV_CODE_ALREADY_EXISTS:
      return "already-exists";
    case MV_CODE_SEALED:
      return "sealed";
    case MV_CODE_UNTRUSTED:
      return "untrusted";
    case MV_CODE_ROLLED_BACK:
      return "rolled-back";
    case MV_CODE_EXPIRED:
      return "expired";
    case MV_CODE_REVOKED:
      return "revoked";
    default:
      return "unknown";
  }
}

mv_code mv_failure_code(const mv_failure* failure) { return modelvault::OrNone(failure).code; }
const char* mv_failure_message(const mv_failure* failure) { return modelvault::OrNone(failure).message; }
const char* mv_failure_path(const mv_failure* failure) { return modelvault::OrNone(failure).path; }
const char* mv_failure_variant(const mv_failure* failure) { return modelvault::OrNone(failure).variant; }
const char* mv_failure_tensor(const mv_failure* failure) { return modelvault::OrNone(failure).tensor; }
uint64_t mv_failure_offset(const mv_failure* failure) { return modelvault::OrNone(failure).offset; }
uint64_t mv_failure_data_offset(const mv_failure* failure) { return modelvault::OrNone(failure).data_offset; }

void mv_failure_free(mv_failure* failure) {
  if (failure != &modelvault::kOutOfMemory) delete static_cast<modelvault::OwnedFailure*>(failure);
}

}  // extern "C"
