#include "tests/vault/remote/range_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <sstream>

#include "nlohmann/json.hpp"

extern char** environ;  // NOLINT: POSIX has it in no header.

namespace modelvault {

RangeServer::RangeServer(const std::string& folder, const std::string& certificate)
    : scheme_(certificate.empty() ? "http" : "https") {
  setenv("no_proxy", "127.0.0.1", 1);  // Whatever proxy this machine has.
  std::vector<std::string> words = {RANGE_SERVER_PYTHON, RANGE_SERVER_SCRIPT, folder, folder_.File("log")};
  if (!certificate.empty()) words.push_back(certificate);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> input;
  std::array<int, 2> output;
  if (pipe2(input.data(), O_CLOEXEC) != 0 || pipe2(output.data(), O_CLOEXEC) != 0) abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], 0);
  posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  const int spawned = posix_spawn(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(input[0]);
  close(output[1]);
  input_ = input[1];
  EXPECT_EQ(spawned, 0);
  char c = 0;
  while (read(output[0], &c, 1) == 1 && isdigit(c) != 0) port_ += c;
  close(output[0]);
  EXPECT_FALSE(port_.empty()) << "the server does not start";
}

RangeServer::~RangeServer() {
  close(input_);
  if (process_ > 0) waitpid(process_, nullptr, 0);
}

std::string RangeServer::Url(const std::string& path) const { return scheme_ + "://127.0.0.1:" + port_ + "/" + path; }

std::vector<RangeServer::Request> RangeServer::TakeRequests() {
  std::istringstream lines(folder_.ReadIfThere("log"));
  std::vector<Request> requests;
  size_t number = 0;
  for (std::string line; std::getline(lines, line); ++number) {
    if (number < taken_) continue;
    const nlohmann::json json = nlohmann::json::parse(line);
    Request& request = requests.emplace_back();
    request.path = json["path"];
    if (json["range"].is_string()) request.range = json["range"];
    if (json["if_range"].is_string()) request.if_range = json["if_range"];
    request.status = json["status"];
    request.bytes = json["bytes"];
  }
  taken_ = number;
  return requests;
}

uint64_t BytesOf(const std::vector<RangeServer::Request>& requests) {
  uint64_t sum = 0;
  for (const RangeServer::Request& request : requests) sum += request.bytes;
  return sum;
}

std::vector<std::string> RangesOf(const std::vector<RangeServer::Request>& requests) {
  std::vector<std::string> ranges;
  for (const RangeServer::Request& request : requests) ranges.push_back(request.range);
  return ranges;
}

}  // namespace modelvault
