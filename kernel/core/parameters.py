"""Recomputes every bound of the static-hint histogram from the constants that the kernel is compiled with.

`make check` runs it. It needs nothing but Python, ends with status 1 and one line for every rule that does not hold,
and prints the table that docs/protocols/histogram.md must show. The formulas are explained there.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from decimal import Decimal, getcontext
from pathlib import Path

CORE = Path(__file__).parent
DOCUMENT = CORE.parents[1] / "docs/protocols/histogram.md"

SIGMA = 3.2
LEAST_MARGIN = 8.0
LARGEST_DISTANCE_LOG2 = -30.0

# log2 q for 128 bits of classical security with uniform ternary secrets: guidelines of 2024 (Bossuat and others,
# eprint 2024/463), by ring degree
MODULUS_BITS_LIMIT = {4096: 106, 8192: 214}

# bits of classical security by (ring degree, log2 q), σ = 3.2: lattice estimator, the lowest of primal uSVP, BDD and
# dual hybrid. All queries of an alignment share one public part, so at least 136 bits are asked for; S105, which is
# taken only for rows that S100 cannot sum, has 130.
ESTIMATED_SECURITY = {(4096, 96): 143, (4096, 100): 137, (4096, 105): 130, (8192, 138): 208}
LEAST_SECURITY = {"S100": 136, "S105": 130, "S138": 136}

# what the argument was made for; a change of the kernel alone does not pass
ARGUED = {
    "S100": ("4096", 2, "50", "5", "4", "16", "44", "28"),
    "S105": ("4096", 3, "35", "8", "7", "17", "40", "22"),
    "S138": ("8192", 3, "46", "20", "18", "20", "43", "28"),
}


@dataclass(frozen=True)
class ParameterSet:
    """The constants of one set, and the bounds that follow from them."""

    name: str
    ring_degree: int
    prime_bits: int
    primes: tuple[int, ...]
    gradient_bits: int
    hessian_bits: int
    row_samples_log2: int
    flood_bits: int
    flood_shift: int
    flood_coarse_sigma: int
    hint_dropped_bits: int
    answer_cap_log2: int

    @property
    def modulus(self) -> int:
        return math.prod(self.primes)

    @property
    def modulus_bits(self) -> int:
        return self.prime_bits * len(self.primes)

    @property
    def payload_bits(self) -> int:
        sums_of_g = self.gradient_bits + 1 + self.row_samples_log2
        return sums_of_g + self.hessian_bits + self.row_samples_log2

    @property
    def leftover_sigma(self) -> float:
        return SIGMA * math.sqrt(2**self.row_samples_log2 + 4 * self.ring_degree / 3)

    @property
    def flood_sigma(self) -> float:
        return 2.0**self.flood_shift * math.sqrt(self.flood_coarse_sigma**2 + 1 / 6)

    @property
    def hint_sigma(self) -> float:
        return 2.0**self.hint_dropped_bits * math.sqrt(self.ring_degree / 18)

    @property
    def noise_sigma(self) -> float:
        return math.hypot(self.flood_sigma, self.leftover_sigma, self.hint_sigma)

    @property
    def margin(self) -> float:
        """σ of the whole noise that fit in half a step of Δ."""
        return (self.modulus >> self.payload_bits) / 2 / self.noise_sigma

    @property
    def wrong_log2(self) -> float:
        """log2 of the chance that one answer decodes wrongly: the two Gaussian tails."""
        tail = math.exp(-(self.margin**2) / 2) / (self.margin * math.sqrt(2 * math.pi))
        return math.log2(2 * tail)

    @property
    def distance_log2(self) -> float:
        """log2 of the statistical distance of all answers of a hint from their simulation."""
        return self.answer_cap_log2 / 2 - (self.flood_bits + 1)


def read_sets(source: str) -> list[ParameterSet]:
    """The sets in the text of parameters.rs."""
    sets = []
    for body in re.findall(r"pub const S\d+: Parameters = Parameters \{(.*?)\n\};", source, re.DOTALL):
        fields = dict(re.findall(r"(\w+):\s*([^,\[\]]+|&\[.*?\]),", body, re.DOTALL))
        primes = tuple(int(prime, 16) for prime in re.findall(r"0x[0-9a-f]+", fields.pop("primes")))
        name = fields.pop("name").strip('"')
        sets.append(ParameterSet(name=name, primes=primes, **{key: int(value) for key, value in fields.items()}))
    return sets


def is_prime(number: int) -> bool:
    """Miller and Rabin with the bases that decide every number below 3.3·10^24."""
    if number < 2 or any(number % small == 0 for small in (2, 3, 5, 7)):
        return number in (2, 3, 5, 7)
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def check_ring(one: ParameterSet) -> list[str]:
    """Rules of the modulus and of its security."""
    faults = []
    if len(set(one.primes)) != len(one.primes):
        faults.append("a prime occurs twice")
    for prime in one.primes:
        if not is_prime(prime):
            faults.append(f"{prime:#x} is not prime")
        if prime % (2 * one.ring_degree) != 1:
            faults.append(f"{prime:#x} is not 1 modulo 2N")
        if prime.bit_length() != one.prime_bits or one.prime_bits > 51:
            faults.append(f"{prime:#x} does not have {one.prime_bits} bits, or too many")
    if math.log2(one.modulus) > MODULUS_BITS_LIMIT.get(one.ring_degree, 0):
        faults.append(f"log2 q = {math.log2(one.modulus):.2f} exceeds the limit for N = {one.ring_degree}")
    least = LEAST_SECURITY.get(one.name, 136)
    if ESTIMATED_SECURITY.get((one.ring_degree, one.modulus_bits), 0) < least:
        faults.append(f"no estimate of at least {least} bits for N = {one.ring_degree}, {one.modulus_bits} bits")
    return faults


def check_noise(one: ParameterSet, accepted_sigmas: float) -> list[str]:
    """Rules of flooding and decoding."""
    faults = []
    if one.margin < LEAST_MARGIN:
        faults.append(f"the margin is {one.margin:.2f} σ, below {LEAST_MARGIN}")
    if not LEAST_MARGIN <= accepted_sigmas < one.margin - 0.3:
        faults.append(f"decryption accepts {accepted_sigmas} σ where the margin is {one.margin:.2f} σ")
    if one.flood_sigma < 2**one.flood_bits * one.leftover_sigma:
        faults.append(f"the flood is below 2^{one.flood_bits} times the leftover")
    if one.flood_coarse_sigma < 64:
        faults.append("the coarse Gaussian of the flood has σ below 64")
    if one.distance_log2 > LARGEST_DISTANCE_LOG2:
        faults.append(f"the cap of 2^{one.answer_cap_log2} answers allows a distance of 2^{one.distance_log2:.1f}")
    if one.hint_sigma > 0.07 * one.flood_sigma:
        faults.append("the bits left out of the hint add more than 0.25 % to the noise")
    if (one.modulus_bits - one.hint_dropped_bits) % 8 != 0:
        faults.append("a coefficient of the hint is not a whole number of bytes")
    return faults


def check_words(one: ParameterSet, constants: dict[str, int]) -> list[str]:
    """Lazy sums of the kernel must fit its words."""
    largest = max(one.primes)
    # what is above 2^bits comes back as 2^bits - p for each unit
    fold = (constants["LAZY_SAMPLES"] + 2) * (2**one.prime_bits - min(one.primes))
    bounds = {
        "sums of a bin between reductions": ((constants["LAZY_SAMPLES"] + 2) * 2**one.prime_bits, 2**64),
        "sums over the blocks in set-up": ((constants["MAX_BLOCKS"] + 1) * 2 * largest, 2**64),
        "a folded sum": (2**one.prime_bits + fold, 2 * 2**one.prime_bits),
        "an inner product of bytes": (one.ring_degree * 255, 2**31),
        "the step Δ": (one.modulus >> one.payload_bits, 2**64),
        "the coarse part of the flood": (14 * one.flood_coarse_sigma << one.flood_shift, 2**63),
        "a packed message": (1 << (one.gradient_bits + one.hessian_bits + one.row_samples_log2), 2**63),
        "a hint coefficient": (1 << one.hint_dropped_bits, 2**64),
    }
    return [f"{what} may overflow" for what, (value, bound) in bounds.items() if value >= bound]


def check_argued(one: ParameterSet) -> list[str]:
    """The set is the one that the argument was made for."""
    numbers = one.gradient_bits, one.hessian_bits, one.row_samples_log2, one.flood_bits, one.answer_cap_log2
    found = (str(one.ring_degree), len(one.primes), str(one.prime_bits), *map(str, numbers))
    return (
        []
        if ARGUED.get(one.name) == found
        else [f"{found} is not what the argument was made for, {ARGUED.get(one.name)}"]
    )


def error_table() -> list[int]:
    """2^63 · P(|round(N(0, 3.2²))| ≤ k) until that is 2^63, from erf in 80 digits."""
    getcontext().prec = 80
    table: list[int] = []
    while True:
        bound = (len(table) + Decimal("0.5")) / (Decimal(str(SIGMA)) * Decimal(2).sqrt())
        scaled = int((error_function(bound) * 2**63).to_integral_value())
        if scaled >= 2**63:
            return table
        table.append(scaled)


def error_function(x: Decimal) -> Decimal:
    """erf(x) = 2/√π · e^(−x²) · Σ 2^n x^(2n+1) / (1·3·…·(2n+1))."""
    term = total = x
    index = 0
    while term > Decimal(10) ** -70:
        index += 1
        term = term * 2 * x * x / (2 * index + 1)
        total += term
    return 2 / circle_constant().sqrt() * (-x * x).exp() * total


def circle_constant() -> Decimal:
    """π by Machin's formula."""

    def arctangent_of_inverse(number: int) -> Decimal:
        power = total = Decimal(1) / number
        index = 0
        while abs(power) > Decimal(10) ** -78:
            index += 1
            power /= -number * number
            total += power / (2 * index + 1)
        return total

    return 4 * (4 * arctangent_of_inverse(5) - arctangent_of_inverse(239))


def table_lines(sets: list[ParameterSet]) -> list[str]:
    """The table of the document, in Markdown."""
    columns = (
        "set|N, primes|g, h bits|most samples a row|λ|margin|wrong, per answer|distance over a hint|bytes a sample"
    )
    titles = f"{columns}|hint bytes a row|security".split("|")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for one in sets:
        hint = one.ring_degree * (one.modulus_bits - one.hint_dropped_bits) // 8
        security = ESTIMATED_SECURITY.get((one.ring_degree, one.modulus_bits), 0)
        lines.append(
            f"| {one.name} | {one.ring_degree}, {len(one.primes)} × {one.prime_bits} bits "
            f"| {one.gradient_bits}, {one.hessian_bits} | 2^{one.row_samples_log2} | {one.flood_bits} "
            f"| {one.margin:.2f} σ | 2^{math.floor(one.wrong_log2)} | 2^{one.distance_log2:.0f} "
            f"| {one.modulus_bits / 8:g} | {hint} | {security} |"
        )
    return lines


def read_constant(source: str, name: str) -> int:
    """The value of an integer constant such as `1 << 13` or `4096` in Rust source."""
    found = re.search(rf"const {name}: \w+ = (?:(\d+) << )?(\d+);", source)
    if found is None:
        return sys.maxsize
    return int(found[2]) if found[1] is None else int(found[1]) << int(found[2])


def check_error_table(source: str) -> list[str]:
    """The table that the kernel samples errors from is the right one."""
    body = re.search(r"ERROR_TABLE: \[u64; \d+\] = \[(.*?)\];", source, re.DOTALL)
    numbers = re.findall(r"0x[0-9a-f_]+", body[1]) if body else []
    right = [int(number.replace("_", ""), 16) for number in numbers] == error_table()
    return [] if right else ["the table of the error distribution is not that of round(N(0, 3.2²))"]


def check_all(parameters: str, sums: str, decoding: str, sampling: str) -> list[str]:
    """Every rule, over the text of the four sources that hold constants."""
    constants = {
        "LAZY_SAMPLES": read_constant(sums, "LAZY_SAMPLES"),
        "MAX_BLOCKS": read_constant(parameters, "MAX_BLOCKS"),
    }
    accepted = re.search(r"ACCEPTED_SIGMAS: f64 = ([\d.]+);", decoding)
    accepted_sigmas = float(accepted[1]) if accepted else math.inf
    sets = read_sets(parameters)
    faults = [] if {one.name for one in sets} == set(ARGUED) else ["the kernel has other sets than argued for"]
    for one in sets:
        noise = check_noise(one, accepted_sigmas)
        found = [*check_argued(one), *check_ring(one), *noise, *check_words(one, constants)]
        faults += [f"{one.name}: {fault}" for fault in found]
    return faults + check_error_table(sampling)


def read_sources() -> tuple[str, str, str, str]:
    """The texts that `check_all` takes."""
    names = "parameters.rs", "histogram/sums.rs", "histogram/decoding.rs", "sampling.rs"
    parameters, sums, decoding, sampling = ((CORE / "src" / name).read_text(encoding="utf-8") for name in names)
    return parameters, sums, decoding, sampling


def main() -> int:
    sources = read_sources()
    faults = check_all(*sources)
    lines = table_lines(read_sets(sources[0]))
    document = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    faults += [f"{DOCUMENT.name} lacks the line {line}" for line in lines if line not in document]
    print("\n".join([*lines, *faults]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
