// Runs a fuzz target without libFuzzer: every file of a seed folder as it is, then a fixed number of mutations of each.
//
//   NAME_replay SEED_FOLDER               all of them
//   NAME_replay SEED_FILE MUTATION        just one (0 is the seed itself), to repeat a failure
//
// The mutations depend on nothing but the seed files' bytes and kRandomSeed, so a failure repeats.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "codec/split_mix_64.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// Read by the sanitizers' runtimes where the program is built with them: a finding aborts, so that the handler below
// says which input it was, and an allocation of another size class than a seed's is a finding.
extern "C" const char* __asan_default_options() { return "abort_on_error=1:max_allocation_size_mb=256"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint64_t kRandomSeed = 20240229;
constexpr int kMutationsPerSeed = 2000;

// What runs now, for the signal handler, which may not format.
char running[512];

void ReportCrash(int signal_number) {
  std::signal(signal_number, SIG_DFL);
  // Nothing can be done about a failed write here.
  if (write(STDERR_FILENO, running, std::strlen(running)) < 0) {
  }
  std::raise(signal_number);
}

class Random : public modelvault::SplitMix64 {
 public:
  using modelvault::SplitMix64::SplitMix64;
  // In [0, bound); `bound` is not 0.
  size_t Below(size_t bound) { return static_cast<size_t>(modelvault::SplitMix64::Below(bound)); }
};

// Lengths and counts that go wrong: the ends of the integer types and their neighbours.
constexpr uint64_t kEdges[] = {0,
                               1,
                               0x7F,
                               0x80,
                               0xFF,
                               0x100,
                               0x7FFF,
                               0x8000,
                               0xFFFF,
                               0x10000,
                               0x7FFFFFFF,
                               0x80000000,
                               0xFFFFFFFF,
                               0x100000000,
                               0x7FFFFFFFFFFFFFFF,
                               0x8000000000000000,
                               0xFFFFFFFFFFFFFFF8,
                               0xFFFFFFFFFFFFFFFF};

void MutateOnce(const Bytes& other, Random& random, Bytes& bytes) {
  if (bytes.empty()) {
    bytes.push_back(static_cast<uint8_t>(random.Next()));
    return;
  }
  const size_t at = random.Below(bytes.size());
  const size_t run = 1 + random.Below(std::min<size_t>(bytes.size() - at, 64));
  const auto place = [&](size_t offset) { return bytes.begin() + static_cast<std::ptrdiff_t>(offset); };
  switch (random.Below(8)) {
    case 0:  // One bit.
      bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1u << random.Below(8)));
      break;
    case 1:  // One byte.
      bytes[at] = static_cast<uint8_t>(random.Next());
      break;
    case 2: {  // A little-endian integer of 1, 2, 4 or 8 bytes.
      const uint64_t value = kEdges[random.Below(std::size(kEdges))];
      const size_t width = std::min(size_t{1} << random.Below(4), bytes.size() - at);
      for (size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<uint8_t>(value >> (8 * i));
      break;
    }
    case 3:  // The end is missing.
      bytes.resize(at);
      break;
    case 4:  // A piece is missing.
      bytes.erase(place(at), place(at + run));
      break;
    case 5: {  // A piece is there twice.
      const Bytes copy(place(at), place(at + run));
      bytes.insert(place(random.Below(bytes.size() + 1)), copy.begin(), copy.end());
      break;
    }
    case 6:  // A small step up or down, as a count off by one.
      bytes[at] = static_cast<uint8_t>(bytes[at] + (random.Below(2) == 0 ? 1 : 255));
      break;
    default:  // The rest comes from another seed.
      if (other.empty()) break;
      bytes.resize(at);
      bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(random.Below(other.size())), other.end());
      break;
  }
}

Bytes ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    std::exit(1);
  }
  return Bytes(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// Runs mutation `number` of seed `index`.
void Run(const std::vector<std::filesystem::path>& paths, const std::vector<Bytes>& seeds, size_t index, int number) {
  Bytes bytes = seeds[index];
  if (number > 0) {
    // Named by the file's name, not by its place, so that a new seed leaves the mutations of the others mostly alone.
    uint64_t name_hash = kRandomSeed;
    for (const char c : paths[index].filename().string()) name_hash = name_hash * 31 + static_cast<uint8_t>(c);
    Random random(name_hash ^ (static_cast<uint64_t>(number) << 32));
    const Bytes& other = seeds[random.Below(seeds.size())];
    for (size_t count = 1 + random.Below(4); count > 0; --count) MutateOnce(other, random, bytes);
  }
  std::snprintf(running, sizeof(running), "\nfailed on %s, mutation %d (random seed %llu)\n", paths[index].c_str(),
                number, static_cast<unsigned long long>(kRandomSeed));
  // An exact copy on the heap: a read past its end is one past the allocation's.
  uint8_t* copy = static_cast<uint8_t*>(std::malloc(bytes.size()));
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  LLVMFuzzerTestOneInput(copy, bytes.size());
  std::free(copy);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: %s SEED_FOLDER | SEED_FILE MUTATION\n", argv[0]);
    return 64;
  }
  const std::filesystem::path given = argv[1];
  const bool just_one = argc == 3;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(just_one ? given.parent_path() : given)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> seeds;
  for (const auto& path : paths) seeds.push_back(ReadFile(path));
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seeds\n", argv[1]);
    return 1;
  }
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal_number, ReportCrash);

  long count = 0;
  for (size_t i = 0; i < seeds.size(); ++i) {
    if (just_one) {
      if (paths[i].filename() != given.filename()) continue;
      Run(paths, seeds, i, std::atoi(argv[2]));
      ++count;
      continue;
    }
    for (int number = 0; number <= kMutationsPerSeed; ++number, ++count) Run(paths, seeds, i, number);
  }
  std::printf("%zu seeds, %ld inputs, random seed %llu\n", seeds.size(), count,
              static_cast<unsigned long long>(kRandomSeed));
  return count > 0 ? 0 : 1;
}
