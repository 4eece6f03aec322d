<?php

declare(strict_types=1);

namespace Urumi\Login;

/** The two answers to a link. The one that refuses tells nobody why; the log does. */
final class Answer
{
    private const REFUSED = "This login link is not valid any more: ask for a new one.\n";

    /**
     * What the work gives; its failure ends the request.
     *
     * @template T
     * @param callable(): T $work
     * @return T
     */
    public static function unlessRefused(callable $work): mixed
    {
        try {
            return $work();
        } catch (Refused $refused) {
            self::refused($refused->getMessage());
        } catch (\Throwable $error) {
            self::refused('it could not be checked: ' . $error::class); // a message may hold what was sent
        }
    }

    public static function admitted(): never
    {
        self::begin(303);
        header('Location: ' . admin_url());
        exit;
    }

    private static function refused(string $why): never
    {
        error_log("urumi-login: refused: $why");
        self::begin(403);
        header('Content-Type: text/plain; charset=utf-8');
        exit(self::REFUSED);
    }

    /** Nothing that a plugin has begun to say is part of it, nobody keeps it, and the address goes nowhere. */
    private static function begin(int $status): void
    {
        while (ob_get_level() > 0 && ob_end_clean()) {
            continue;
        }
        http_response_code($status);
        header('Cache-Control: no-store');
        header('Referrer-Policy: no-referrer');
    }
}
