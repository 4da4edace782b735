// Jobs of several processes cannot throw: what they throw becomes an error.
#ifndef MODELVAULT_TOOLS_RANKS_CAUGHT_H_
#define MODELVAULT_TOOLS_RANKS_CAUGHT_H_

#include <exception>
#include <functional>
#include <new>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace modelvault {

// What `call` returns; kUnavailable for memory that ran out, kInternal for anything else that it throws.
template <typename T>
absl::StatusOr<T> Caught(const std::function<absl::StatusOr<T>()>& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return absl::UnavailableError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_RANKS_CAUGHT_H_
