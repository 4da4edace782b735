// range_server.py, for tests: a real server with faults.
#ifndef MODELVAULT_TESTS_VAULT_REMOTE_RANGE_SERVER_H_
#define MODELVAULT_TESTS_VAULT_REMOTE_RANGE_SERVER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/temp_folder.h"

namespace modelvault {

class RangeServer {
 public:
  struct Request {
    std::string path;
    std::string range;  // "bytes=0-99"; empty: none.
    std::string if_range;
    int status = 0;
    uint64_t bytes = 0;  // Of the body that was sent.
  };

  // Serves the files of `folder`; with a certificate and its key in one file, by https. The test fails if it does not
  // start.
  explicit RangeServer(const std::string& folder, const std::string& certificate = "");
  ~RangeServer();
  RangeServer(const RangeServer&) = delete;
  RangeServer& operator=(const RangeServer&) = delete;

  // Of the path "FAULT/ARGUMENTS/NAME". The script says which faults there are.
  std::string Url(const std::string& path) const;
  // The requests since the last call.
  std::vector<Request> TakeRequests();

 private:
  TempFolder folder_;  // The log's.
  std::string scheme_;
  std::string port_;
  pid_t process_ = -1;
  int input_ = -1;
  size_t taken_ = 0;
};

// Of the bodies of all of them.
uint64_t BytesOf(const std::vector<RangeServer::Request>& requests);
// What they asked for.
std::vector<std::string> RangesOf(const std::vector<RangeServer::Request>& requests);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_VAULT_REMOTE_RANGE_SERVER_H_
