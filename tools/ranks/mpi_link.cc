#include "tools/ranks/mpi_link.h"

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>

namespace modelvault {
namespace {

// A count of MPI is an int, so letters that do not fit are counted in blocks, the last one filled up.
constexpr int kInBytes = 1;
constexpr int kInBlocks = 2;
constexpr size_t kMostInBytes = size_t{1} << 30;
constexpr size_t kBlock = size_t{1} << 16;

// What goes before a letter's bytes.
struct Head {
  uint64_t task;
  uint64_t number;
  uint64_t size;
  int32_t code;
  uint8_t kind;
};

volatile sig_atomic_t told_to_end = 0;

void OnSignal(int) { told_to_end = 1; }

}  // namespace

MpiLink::MpiLink() {
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MPI_Type_contiguous(static_cast<int>(kBlock), MPI_BYTE, &block_);
  MPI_Type_commit(&block_);
  // The temporary file of an unfinished vault is removed on the way out, for which mpirun leaves some time.
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

MpiLink::~MpiLink() {
  for (Progress(); !sending_.empty() && !interrupted(); Progress()) {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  MPI_Type_free(&block_);
}

bool MpiLink::interrupted() const { return told_to_end != 0; }

void MpiLink::Progress() {
  for (auto letter = sending_.begin(); letter != sending_.end();) {
    int left = 0;
    MPI_Test(&letter->request, &left, MPI_STATUS_IGNORE);
    letter = left != 0 ? sending_.erase(letter) : std::next(letter);
  }
}

void MpiLink::Send(int to, Letter letter) {
  Head head = {};
  head.task = letter.task;
  head.number = letter.number;
  head.size = letter.bytes.size();
  head.code = static_cast<int32_t>(letter.code);
  head.kind = static_cast<uint8_t>(letter.kind);
  Sending& sending = sending_.emplace_back();
  std::string& bytes = sending.bytes;
  bytes = std::move(letter.bytes);
  // The head goes last, where it moves nothing.
  bytes.append(reinterpret_cast<const char*>(&head), sizeof(head));
  if (bytes.size() <= kMostInBytes) {
    MPI_Isend(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, to, kInBytes, MPI_COMM_WORLD, &sending.request);
  } else {
    // Filled up before the head, so that the head is the end.
    bytes.insert(bytes.size() - sizeof(head), (kBlock - bytes.size() % kBlock) % kBlock, '\0');
    MPI_Isend(bytes.data(), static_cast<int>(bytes.size() / kBlock), block_, to, kInBlocks, MPI_COMM_WORLD,
              &sending.request);
  }
  Progress();
}

std::optional<Letter> MpiLink::Receive() {
  Progress();
  int found = 0;
  MPI_Message message = MPI_MESSAGE_NULL;
  MPI_Status status = {};
  MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &found, &message, &status);
  if (found == 0) return std::nullopt;
  const bool in_blocks = status.MPI_TAG == kInBlocks;
  const MPI_Datatype unit = in_blocks ? block_ : MPI_BYTE;
  int count = 0;
  MPI_Get_count(&status, unit, &count);
  std::string bytes(static_cast<size_t>(count) * (in_blocks ? kBlock : 1), '\0');
  MPI_Mrecv(bytes.data(), count, unit, &message, &status);
  Head head = {};
  std::memcpy(&head, bytes.data() + bytes.size() - sizeof(head), sizeof(head));
  bytes.resize(static_cast<size_t>(head.size));
  return Letter{status.MPI_SOURCE, static_cast<LetterKind>(head.kind),       head.task,
                head.number,       static_cast<absl::StatusCode>(head.code), std::move(bytes)};
}

}  // namespace modelvault
