// libcurl, loaded when the first URL is opened: it brings thirty libraries, whose loading would take longer than most
// of what programs do that open none.
#ifndef MODELVAULT_VAULT_REMOTE_CURL_LIBRARY_H_
#define MODELVAULT_VAULT_REMOTE_CURL_LIBRARY_H_

#include <curl/curl.h>

#include "absl/status/statusor.h"

namespace modelvault {

// Its functions, without `curl_`.
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_multi_init) multi_init;
  decltype(&::curl_multi_add_handle) multi_add_handle;
  decltype(&::curl_multi_remove_handle) multi_remove_handle;
  decltype(&::curl_multi_perform) multi_perform;
  decltype(&::curl_multi_info_read) multi_info_read;
  decltype(&::curl_multi_poll) multi_poll;
  decltype(&::curl_multi_wakeup) multi_wakeup;
  decltype(&::curl_multi_cleanup) multi_cleanup;

  // Loads and starts it, once a process. kUnimplemented if this system has none, or one that is too old. Thread-safe.
  static absl::StatusOr<const CurlLibrary*> Load();
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_REMOTE_CURL_LIBRARY_H_
