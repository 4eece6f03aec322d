<?php

declare(strict_types=1);

namespace Urumi\Login;

/** A token that is right in all that can be told without the database: who signed it, for whom, and when. */
final class Token
{
    private const LONGEST = 2048; // bytes
    private const LIFE = 60; // seconds
    private const LEEWAY = 5; // seconds by which two clocks may differ
    private const ID = '/\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/';

    private function __construct(public readonly string $id, public readonly int $expires)
    {
    }

    /** The token in that text, for that store and user. Raises Refused. */
    public static function read(mixed $text, Keys $keys, string $store, string $user, int $now): self
    {
        if (!is_string($text) || strlen($text) > self::LONGEST || substr_count($text, '.') !== 2) {
            throw new Refused('it is no token');
        }
        [$header, $payload, $signature] = explode('.', $text);
        self::checkSignature(self::json($header), "$header.$payload", self::bytes($signature), $keys);
        $claims = self::json($payload);
        self::checkAddressee($claims, $store, $user);
        self::checkTime($claims['iat'] ?? null, $claims['exp'] ?? null, $now);
        if (!is_string($claims['jti'] ?? null) || !preg_match(self::ID, $claims['jti'])) {
            throw new Refused('it has no id');
        }
        return new self($claims['jti'], $claims['exp']);
    }

    /**
     * One algorithm, whatever the header would like, and nothing in the header that we do not know.
     *
     * @param array<array-key, mixed> $header
     */
    private static function checkSignature(array $header, string $signed, string $signature, Keys $keys): void
    {
        if (($header['alg'] ?? null) !== 'EdDSA') {
            throw new Refused('its algorithm is not EdDSA');
        }
        if (($header['typ'] ?? null) !== 'JWT' || !is_string($header['kid'] ?? null) || count($header) !== 3) {
            throw new Refused('its header is not ours');
        }
        $key = $keys->named($header['kid']);
        if (
            strlen($signature) !== SODIUM_CRYPTO_SIGN_BYTES // another length raises
            || !sodium_crypto_sign_verify_detached($signature, $signed, $key)
        ) {
            throw new Refused('its signature is wrong');
        }
    }

    /** @param array<array-key, mixed> $claims */
    private static function checkAddressee(array $claims, string $store, string $user): void
    {
        if (($claims['iss'] ?? null) !== 'urumi') {
            throw new Refused('somebody else made it');
        }
        if (($claims['aud'] ?? null) !== $store) {
            throw new Refused('it is for another store');
        }
        if (($claims['sub'] ?? null) !== $user) {
            throw new Refused('it is for another user');
        }
    }

    private static function checkTime(mixed $issued, mixed $expires, int $now): void
    {
        if (!is_int($issued) || !is_int($expires) || $expires <= $issued || $expires - $issued > self::LIFE) {
            throw new Refused('it lives too long');
        }
        if ($now < $issued - self::LEEWAY) {
            throw new Refused('it is from the future');
        }
        if ($now >= $expires + self::LEEWAY) {
            throw new Refused('it has expired');
        }
    }

    /** @return array<array-key, mixed> */
    private static function json(string $part): array
    {
        $found = json_decode(self::bytes($part), true, 8);
        return is_array($found) ? $found : throw new Refused('it is no token');
    }

    private static function bytes(string $part): string
    {
        try {
            return sodium_base642bin($part, SODIUM_BASE64_VARIANT_URLSAFE_NO_PADDING);
        } catch (\SodiumException) {
            throw new Refused('it is no token');
        }
    }
}
