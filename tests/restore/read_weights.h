// What tests read of a source of weights.
#ifndef MODELVAULT_TESTS_RESTORE_READ_WEIGHTS_H_
#define MODELVAULT_TESTS_RESTORE_READ_WEIGHTS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "codec/core/core_status.h"
#include "restore/infer/tensor_consumer.h"
#include "restore/infer/weight_source.h"

namespace modelvault {

// Tensors as a consumer got them.
using TensorBytes = std::vector<std::string>;

// Expects each tensor's bytes in order, without gaps.
TensorConsumer Into(TensorBytes* tensors);

// A tensor's bytes by the source, its differences included; of a failure, what came before it.
std::string Weights(const WeightSource& source, size_t tensor, size_t size, CoreStatus* status);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_READ_WEIGHTS_H_
