#include "vault/remote/curl_library.h"

#include <dlfcn.h>

#include <type_traits>

#include "absl/status/status.h"

namespace modelvault {
namespace {

constexpr const char* kNames[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

void* OpenLibrary() {
  for (const char* const name : kNames) {
    if (void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL); library != nullptr) return library;
  }
  return nullptr;
}

// Null: not loaded. Never unloaded, as others may use it.
const CurlLibrary* LoadLibrary() {
  void* const library = OpenLibrary();
  if (library == nullptr) return nullptr;
  static CurlLibrary functions;
  bool complete = true;
  const auto find = [&](auto* function, const char* name) {
    *function = reinterpret_cast<std::decay_t<decltype(*function)>>(dlsym(library, name));
    complete = complete && *function != nullptr;
  };
  find(&functions.global_init, "curl_global_init");
  find(&functions.easy_init, "curl_easy_init");
  find(&functions.easy_setopt, "curl_easy_setopt");
  find(&functions.easy_getinfo, "curl_easy_getinfo");
  find(&functions.easy_strerror, "curl_easy_strerror");
  find(&functions.easy_cleanup, "curl_easy_cleanup");
  find(&functions.slist_append, "curl_slist_append");
  find(&functions.slist_free_all, "curl_slist_free_all");
  find(&functions.multi_init, "curl_multi_init");
  find(&functions.multi_add_handle, "curl_multi_add_handle");
  find(&functions.multi_remove_handle, "curl_multi_remove_handle");
  find(&functions.multi_perform, "curl_multi_perform");
  find(&functions.multi_info_read, "curl_multi_info_read");
  find(&functions.multi_poll, "curl_multi_poll");
  find(&functions.multi_wakeup, "curl_multi_wakeup");
  find(&functions.multi_cleanup, "curl_multi_cleanup");
  return complete && functions.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? &functions : nullptr;
}

}  // namespace

absl::StatusOr<const CurlLibrary*> CurlLibrary::Load() {
  static const CurlLibrary* const library = LoadLibrary();
  if (library != nullptr) return library;
  return absl::UnimplementedError("libcurl.so.4, which URLs need, is not installed, or does not start");
}

}  // namespace modelvault
