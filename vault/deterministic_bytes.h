// Protocol Buffers as bytes that are the same for equal messages.
#ifndef MODELVAULT_VAULT_DETERMINISTIC_BYTES_H_
#define MODELVAULT_VAULT_DETERMINISTIC_BYTES_H_

#include <google/protobuf/message_lite.h>

#include <string>

namespace modelvault {

// `message` has at most 2^31 - 1 bytes.
std::string DeterministicBytes(const google::protobuf::MessageLite& message);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_DETERMINISTIC_BYTES_H_
