#include "vault/remote/http_client.h"

#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "vault/remote/curl_library.h"

namespace modelvault {
namespace {

constexpr long kSlowBytesPerSecond = 1024;
constexpr long kReceiveBuffer = 256 * 1024;

// One request on its way.
struct Exchange {
  explicit Exchange(const CurlLibrary& library) : curl(library) {}
  ~Exchange() {
    if (handle != nullptr) curl.easy_cleanup(handle);
    curl.slist_free_all(fields);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const CurlLibrary& curl;
  HttpReceiver* receiver = nullptr;
  AnswerHead head;
  bool judged = false;    // OnHead was called.
  bool unwanted = false;  // The receiver has ended it.
  CURL* handle = nullptr;
  curl_slist* fields = nullptr;

  bool Wanted() {
    if (!judged) {
      judged = true;
      unwanted = !receiver->OnHead(head);
    }
    return !unwanted;
  }
};

size_t TakeHeadLine(char* data, size_t, size_t size, void* exchange) {
  try {
    AddHeadLine({data, size}, &static_cast<Exchange*>(exchange)->head);
  } catch (...) {  // No memory for it; curl's frames are no place for exceptions.
    return 0;
  }
  return size;
}

size_t TakeBytes(char* data, size_t, size_t size, void* user) {
  auto* const exchange = static_cast<Exchange*>(user);
  if (!exchange->Wanted()) return 0;
  if (exchange->receiver->OnBytes({reinterpret_cast<const uint8_t*>(data), size})) return size;
  exchange->unwanted = true;
  return 0;
}

// Whether what broke a request may be gone the next time.
bool MayPass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

std::string AuthorityFile() {
  for (const char* const name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const char* const file = std::getenv(name);
    if (file != nullptr && *file != '\0') return file;
  }
  return "";
}

}  // namespace

struct HttpClient::Rep {
  explicit Rep(const CurlLibrary& library) : curl(library) {}

  const CurlLibrary& curl;
  HttpLimits limits;
  std::string authorities = AuthorityFile();
  CURLM* multi = nullptr;
  std::map<CURL*, std::unique_ptr<Exchange>> exchanges;

  ~Rep() {
    for (const auto& [handle, exchange] : exchanges) curl.multi_remove_handle(multi, handle);
    exchanges.clear();
    if (multi != nullptr) curl.multi_cleanup(multi);
  }

  bool SetUp(const HttpRequest& request, Exchange* exchange) const;
  void End(CURL* handle, CURLcode code);
};

bool HttpClient::Rep::SetUp(const HttpRequest& request, Exchange* exchange) const {
  exchange->handle = curl.easy_init();
  if (exchange->handle == nullptr) return false;
  bool ok = true;
  const auto set = [&](CURLoption option, const auto& value) {
    ok = ok && curl.easy_setopt(exchange->handle, option, value) == CURLE_OK;
  };
  const auto add_field = [&](const std::string& field) {
    curl_slist* const longer = curl.slist_append(exchange->fields, field.c_str());
    ok = ok && longer != nullptr;
    if (longer != nullptr) exchange->fields = longer;
  };
  add_field("Accept-Encoding: identity");
  if (!request.if_range.empty()) add_field(absl::StrCat("If-Range: ", request.if_range));
  const std::string range = absl::StrCat(request.range.begin, "-", request.range.end - 1);
  const bool secure = absl::StartsWithIgnoreCase(request.url, "https:");
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, static_cast<long>(limits.redirections));
  set(CURLOPT_RANGE, range.c_str());
  set(CURLOPT_HTTPHEADER, exchange->fields);
  set(CURLOPT_USERAGENT, "modelvault");
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
  set(CURLOPT_NOSIGNAL, 1L);  // Signals are the program's.
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(limits.connect_seconds));
  set(CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.stall_seconds));
  set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(CURLOPT_HEADERFUNCTION, &TakeHeadLine);
  set(CURLOPT_HEADERDATA, static_cast<void*>(exchange));
  set(CURLOPT_WRITEFUNCTION, &TakeBytes);
  set(CURLOPT_WRITEDATA, static_cast<void*>(exchange));
  if (!authorities.empty()) set(CURLOPT_CAINFO, authorities.c_str());
  return ok;
}

void HttpClient::Rep::End(CURL* handle, CURLcode code) {
  const auto found = exchanges.find(handle);
  if (found == exchanges.end()) return;
  const std::unique_ptr<Exchange> exchange = std::move(found->second);
  exchanges.erase(found);
  curl.multi_remove_handle(multi, handle);
  HttpEnd end;
  // An answer without a body has its head judged here.
  if (code == CURLE_OK) exchange->Wanted();
  if (code != CURLE_OK && !exchange->unwanted) {
    end.error = curl.easy_strerror(code);
    end.may_pass = MayPass(code);
  }
  const char* url = nullptr;
  if (curl.easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url != nullptr) end.url = url;
  curl_off_t seconds = 0;
  if (curl.easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0) {
    end.retry_after_s = static_cast<int64_t>(seconds);
  }
  exchange->receiver->OnEnd(end);
}

HttpClient::HttpClient(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
HttpClient::~HttpClient() = default;

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Create(const HttpLimits& limits) {
  const absl::StatusOr<const CurlLibrary*> library = CurlLibrary::Load();
  if (!library.ok()) return library.status();
  auto rep = std::make_unique<Rep>(**library);
  rep->limits = limits;
  rep->multi = rep->curl.multi_init();
  if (rep->multi == nullptr) return absl::UnavailableError("libcurl does not start");
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(rep)));
}

absl::Status HttpClient::Start(const HttpRequest& request, HttpReceiver* receiver) {
  auto exchange = std::make_unique<Exchange>(rep_->curl);
  exchange->receiver = receiver;
  if (!rep_->SetUp(request, exchange.get())) return absl::UnavailableError("libcurl refuses the request");
  CURL* const handle = exchange->handle;
  rep_->exchanges.emplace(handle, std::move(exchange));
  if (rep_->curl.multi_add_handle(rep_->multi, handle) == CURLM_OK) return absl::OkStatus();
  rep_->exchanges.erase(handle);
  return absl::UnavailableError("libcurl refuses the request");
}

size_t HttpClient::running() const { return rep_->exchanges.size(); }

void HttpClient::Run(int wait_ms) {
  int running = 0;
  rep_->curl.multi_perform(rep_->multi, &running);
  bool ended = false;
  int left = 0;
  while (const CURLMsg* const message = rep_->curl.multi_info_read(rep_->multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message goes with its handle.
    const CURLcode code = message->data.result;
    rep_->End(message->easy_handle, code);
    ended = true;
  }
  if (!ended) rep_->curl.multi_poll(rep_->multi, nullptr, 0, wait_ms, nullptr);
}

void HttpClient::Wake() { rep_->curl.multi_wakeup(rep_->multi); }

}  // namespace modelvault
