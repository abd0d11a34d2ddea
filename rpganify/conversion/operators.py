"""The closed list of operators that a converted model may consist of.

A model file names operators only by these names, so that opening one can run nothing else: each is a pure
tensor function, or an in-place one on the model's own tensors; none reads files, imports or evaluates code.
What a generator uses beyond them is named at conversion.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional
from torch import Tensor
from torch.overrides import resolve_name

# Tensor methods. `x + y`, `x[i]`, `x.T` arrive as `add`, `__getitem__`, `T`.
METHODS = frozenset(
    """
    __add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __div__ __rdiv__ __floordiv__
    __rfloordiv__ __mod__ __rmod__ __pow__ __rpow__ __matmul__ __rmatmul__ __neg__ __pos__ __abs__ __invert__
    __and__ __or__ __xor__ __rand__ __ror__ __rxor__ __lshift__ __rshift__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__
    __iadd__ __isub__ __imul__ __itruediv__ __ipow__ __iand__ __ior__
    abs abs_ absolute acos acosh add add_ addbmm addcdiv addcdiv_ addcmul addcmul_ addmm addmv adjoint all allclose
    amax amin aminmax angle any arccos arcsin arctan arctan2 argmax argmin argsort asin asinh as_strided atan atan2
    atanh baddbmm bernoulli bernoulli_ bfloat16 bincount bitwise_and bitwise_not bitwise_or bitwise_xor bmm bool
    broadcast_to byte cauchy_ ceil ceil_ char chunk clamp clamp_ clamp_max clamp_max_ clamp_min clamp_min_ clip clip_
    clone conj contiguous copy_ copysign cos cos_ cosh count_nonzero cpu cross cummax cummin cumprod cumsum cumsum_
    deg2rad detach detach_ diag diag_embed diagonal diff div div_ divide divide_ dot double eq eq_ erf erf_ erfc
    erfinv exp exp2 exp_ expand expand_as expm1 exponential_ fill_ fill_diagonal_ flatten flip fliplr flipud float
    float_power floor floor_ floor_divide fmax fmin fmod frac gather ge geometric_ ger greater greater_equal gt half
    hardshrink heaviside histc hypot index_add index_add_ index_copy index_copy_ index_fill index_fill_ index_put
    index_put_ index_select inner int inverse isclose isfinite isinf isnan kthvalue le lerp lerp_ less less_equal
    lgamma log log10 log1p log2 log_ log_normal_ log_softmax logaddexp logical_and logical_not logical_or logical_xor
    logit logsumexp long lt masked_fill masked_fill_ masked_scatter masked_scatter_ masked_select matmul matrix_exp
    matrix_power max maximum mean median min minimum mm mode moveaxis movedim mul mul_ multinomial multiply multiply_
    mv nan_to_num nan_to_num_ nanmean nansum narrow narrow_copy ne neg neg_ negative new new_empty new_full new_ones
    new_tensor new_zeros nonzero norm normal_ not_equal numel outer permute pinverse polygamma pow pow_ prelu prod
    put_ quantile rad2deg random_ ravel reciprocal reciprocal_ relu relu_ remainder renorm repeat repeat_interleave
    requires_grad_ reshape reshape_as resize_ roll rot90 round round_ rsqrt rsqrt_ scatter scatter_ scatter_add
    scatter_add_ scatter_reduce select select_scatter sgn short sigmoid sigmoid_ sign sin sin_ sinc sinh size
    slice_scatter slogdet softmax sort split split_with_sizes sqrt sqrt_ square square_ squeeze squeeze_ std sub sub_
    subtract subtract_ sum sum_to_size svd swapaxes swapdims t t_ take take_along_dim tan tanh tanh_ tensor_split tile
    to topk trace transpose transpose_ tril tril_ triu triu_ true_divide trunc type type_as unbind unflatten unfold
    uniform_ unique unsqueeze unsqueeze_ var vdot view view_as view_as_complex view_as_real where xlogy zero_
    """.split()
)

# Attributes of a tensor that a graph may read.
PROPERTIES = frozenset("T mT H mH data real imag device dtype".split())

_TORCH = """
    abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr adjoint affine_grid_generator all allclose amax
    amin aminmax angle any arange arccos arcsin arctan arctan2 argmax argmin argsort as_strided as_tensor asin asinh
    atan atan2 atanh atleast_1d atleast_2d atleast_3d avg_pool1d baddbmm batch_norm bernoulli bilinear bitwise_and
    bitwise_not bitwise_or bitwise_xor blackman_window block_diag bmm broadcast_tensors broadcast_to bucketize
    cartesian_prod cat cdist ceil celu celu_ chunk clamp clamp_ clamp_max clamp_min clip clone column_stack complex
    concat concatenate conj constant_pad_nd conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    cos cosh cosine_similarity count_nonzero cross cummax cummin cumprod cumsum deg2rad detach diag diag_embed
    diagonal diff dist div divide dot dropout dropout_ dstack einsum elu embedding empty empty_like empty_strided eq
    erf erfc erfinv exp exp2 expm1 eye fill flatten flip fliplr flipud float_power floor floor_divide fmax fmin fmod
    frac full full_like gather ge ger greater greater_equal group_norm gt hamming_window hann_window hardshrink
    heaviside histc hstack hypot index_add index_copy index_fill index_put index_select inner instance_norm inverse
    isclose isfinite isinf isnan kaiser_window kthvalue layer_norm le lerp less less_equal lgamma linspace log log10
    log1p log2 log_softmax logaddexp logical_and logical_not logical_or logical_xor logit logspace logsumexp lt
    masked_fill masked_scatter masked_select matmul matrix_exp matrix_power max maximum mean median meshgrid min
    minimum mm mode moveaxis movedim mul multinomial multiply mv nan_to_num nanmean nansum narrow ne neg negative
    nonzero norm normal not_equal ones ones_like outer permute pinverse pixel_shuffle pixel_unshuffle poisson polar
    polygamma pow prelu prod quantile rad2deg rand rand_like randint randint_like randn randn_like randperm range ravel
    real reciprocal relu relu_ remainder renorm repeat_interleave reshape rms_norm roll rot90 round row_stack rrelu
    rsqrt rsub scalar_tensor scatter scatter_add scatter_reduce searchsorted select selu selu_ sgn sigmoid sign sin sinc
    sinh slogdet softmax sort split sqrt square squeeze stack std std_mean sub subtract sum svd svd_lowrank swapaxes
    swapdims t take take_along_dim tan tanh tensor tensor_split tensordot threshold tile topk trace transpose
    trapezoid trapz tril tril_indices triu triu_indices true_divide trunc unbind unflatten unique unsqueeze vander var
    var_mean vdot view_as_complex view_as_real vstack where xlogy zeros zeros_like _weight_norm lstm gru rnn_tanh rnn_relu
    lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell
""".split()

_FUNCTIONAL = """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d affine_grid
    alpha_dropout avg_pool1d avg_pool2d avg_pool3d batch_norm bilinear celu channel_shuffle conv1d conv2d conv3d
    conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity dropout dropout1d dropout2d dropout3d elu elu_
    embedding embedding_bag feature_alpha_dropout fold gelu glu grid_sample group_norm gumbel_softmax hardshrink
    hardsigmoid hardswish hardtanh hardtanh_ instance_norm interpolate layer_norm leaky_relu leaky_relu_ linear
    local_response_norm log_softmax logsigmoid lp_pool1d lp_pool2d max_pool1d max_pool2d max_pool3d max_unpool1d
    max_unpool2d mish mse_loss multi_head_attention_forward native_channel_shuffle normalize one_hot pad
    pairwise_distance pdist pixel_shuffle pixel_unshuffle prelu relu relu6 relu_ rms_norm rrelu
    scaled_dot_product_attention selu selu_ sigmoid silu softmax softmin softplus softshrink softsign tanh tanhshrink
    threshold threshold_ unfold upsample upsample_bilinear upsample_nearest
""".split()

_LINALG = """
    cholesky cross det diagonal eigh eigvalsh inv lstsq matmul matrix_exp matrix_norm matrix_power multi_dot norm pinv
    qr slogdet solve solve_triangular svd svdvals vecdot vector_norm
""".split()

_FFT = """
    fft fft2 fftfreq fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft rfft2 rfftfreq rfftn
""".split()

_SPECIAL = "erf erfc expit exp2 expm1 gammaln i0 i1 log1p logit logsumexp ndtr sinc softmax xlogy".split()

# Python's own, on tensors: item access and assignment; numbers: sizes that derive from the batch size.
_OPERATOR = "getitem setitem add mul floordiv sub".split()

# Draws from a random state when called. Those in TAKES_GENERATOR accept the caller's generator.
TAKES_GENERATOR = frozenset(
    """
    rand randn randint randperm normal bernoulli multinomial poisson normal_ uniform_ random_ bernoulli_ exponential_
    log_normal_ cauchy_ geometric_
    """.split()
)
LIKE_DRAWS = {"randn_like": "randn", "rand_like": "rand"}
RANDOM = (
    TAKES_GENERATOR
    | frozenset(LIKE_DRAWS)
    | frozenset(
        """
        randint_like dropout dropout_ dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout rrelu
        gumbel_softmax svd_lowrank
        """.split()
    )
)

# In-place draws and fills that leave nothing of what the tensor held before.
OVERWRITES = frozenset("normal_ uniform_ random_ zero_ fill_ bernoulli_ exponential_ log_normal_ cauchy_ copy_".split())

# Their result depends on the operand's shape and type, not on its content.
IGNORES_CONTENT = OVERWRITES - {"copy_"} | frozenset(
    """
    zeros_like ones_like empty_like full_like rand_like randn_like randint_like new new_empty new_full new_ones
    new_zeros size
    """.split()
)

# Results of these share memory with their first operand: writing to one writes to the other.
VIEWS = frozenset(
    "detach view view_as reshape flatten squeeze unsqueeze transpose t permute select narrow expand data getitem T "
    "movedim swapaxes unflatten".split()
)

# These may give back their operand itself, or its memory.
MAYBE_VIEWS = VIEWS | frozenset(
    """
    chunk split tensor_split unbind expand_as contiguous to type type_as float double half bfloat16 cpu dropout dropout1d
    dropout2d dropout3d alpha_dropout feature_alpha_dropout reshape_as requires_grad_ broadcast_to broadcast_tensors
    atleast_1d atleast_2d atleast_3d meshgrid real imag view_as_real view_as_complex as_strided diagonal unfold
    narrow_copy nan_to_num pad interpolate
    """.split()
)

# New tensors from nothing; without a device of their own they are made where the model is.
FACTORIES = frozenset(
    """
    arange as_tensor empty empty_strided eye fftfreq full linspace logspace ones rand randint randn randperm range
    rfftfreq scalar_tensor tensor tril_indices triu_indices zeros hann_window hamming_window kaiser_window
    blackman_window
    """.split()
)


@cache
def functions() -> dict[str, Callable[..., Any]]:
    """All allowed functions by their name in a model file, e.g. `torch.nn.functional.relu`."""
    found: dict[str, Callable[..., Any]] = {}
    for prefix, module, names in (
        ("torch.nn.functional", torch.nn.functional, _FUNCTIONAL),
        ("torch", torch, _TORCH),
        ("torch.linalg", torch.linalg, _LINALG),
        ("torch.fft", torch.fft, _FFT),
        ("torch.special", torch.special, _SPECIAL),
        ("operator", operator, _OPERATOR),
    ):
        for name in names:
            if hasattr(module, name):
                found[f"{prefix}.{name}"] = getattr(module, name)
    return found


@cache
def _names() -> dict[int, str]:
    # Functions that stand in two modules (torch.conv2d is F.conv2d) keep the first name.
    names: dict[int, str] = {}
    for name, function in functions().items():
        names.setdefault(id(function), name)
    return names


def function_name(function: Callable[..., Any]) -> str | None:
    """The allowed name of a function; None if it is not in the list."""
    return _names().get(id(function))


def classify(function: Callable[..., Any]) -> tuple[str, str]:
    """What a recorded torch function is in the graph.

    Returns:
        `("method", name)`, `("property", name)`, `("function", name in the list)`, or `("foreign", name)` for
        what the list does not hold.
    """
    owner = resolve_name(function) or ""
    short = getattr(function, "__name__", "")
    if short == "__get__":
        name = owner.removesuffix(".__get__").rpartition(".")[2]
        return ("property" if name in PROPERTIES else "foreign"), name
    if short == "__getitem__":
        return "function", "operator.getitem"
    if short == "__setitem__":
        return "function", "operator.setitem"
    name = function_name(function)
    if name is not None:
        return "function", name
    if short in METHODS and getattr(Tensor, short, None) is not None and owner.startswith("torch.Tensor"):
        return "method", short
    return "foreign", owner or getattr(function, "__qualname__", repr(function))
