// Between the C++ side's statuses and exceptions and the C side's codes and failure objects.
#ifndef MODELVAULT_RESTORE_C_API_FAILURE_H_
#define MODELVAULT_RESTORE_C_API_FAILURE_H_

#include <exception>
#include <new>
#include <stdexcept>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "restore/c_api/include/modelvault/modelvault.h"

namespace modelvault {

// What a call is about; empty: nothing.
struct FailureContext {
  absl::string_view path = {};
  absl::string_view variant = {};
  absl::string_view tensor = {};
};

// Ends a call with `status`, which may be OK. May throw std::bad_alloc.
mv_code EndCall(const absl::Status& status, const FailureContext& context, mv_failure** failure);

// Ends a call for which memory ran out. Needs none.
mv_code EndCallWithoutMemory(mv_failure** failure) noexcept;

// kInvalidArgument unless `there`; `what` is the argument's name.
absl::Status Required(bool there, absl::string_view what);

// Runs `work`, which gives an absl::Status, and ends the call with it. `context` is read after the work, which may thus
// add to it. Nothing is thrown.
template <typename Work>
mv_code Call(const FailureContext& context, mv_failure** failure, const Work& work) noexcept {
  try {
    absl::Status status;
    try {
      status = work();
    } catch (const std::bad_alloc&) {
      return EndCallWithoutMemory(failure);
    } catch (const std::length_error&) {  // A size that no memory has room for.
      return EndCallWithoutMemory(failure);
    } catch (const std::exception& e) {
      status = absl::InternalError(e.what());
    } catch (...) {
      status = absl::InternalError("an exception of an unknown type");
    }
    return EndCall(status, context, failure);
  } catch (...) {
    return EndCallWithoutMemory(failure);
  }
}

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_C_API_FAILURE_H_
