<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** What a new site must be before the owner gets it: its title, its address, its first administrator. */
final class SiteFacts
{
    /** @return list<string> What is wrong. */
    public static function wrong(): array
    {
        $wrong = [];
        foreach (self::options() as $name => $wanted) {
            if (Option::read($name) !== $wanted) {
                $wrong[] = "option $name is not as asked";
            }
        }
        $problem = Administrator::problem();
        if ($problem !== null) {
            $wrong[] = $problem;
        }
        return $wrong;
    }

    /** @return list<string> What was wrong and has been repaired. */
    public static function repair(): array
    {
        $wrong = self::wrong();
        if (!$wrong) {
            return [];
        }
        foreach (self::options() as $name => $wanted) {
            Option::write($name, $wanted);
        }
        if (Administrator::problem() !== null) {
            Administrator::make();
        }
        return array_map(static fn (string $each): string => "repaired: $each", $wrong);
    }

    /** @return array<string, string> Options as they are stored. */
    private static function options(): array
    {
        return [
            'blogname' => Asked::title(),
            ...array_fill_keys(Asked::OF_ADDRESS, Store::config('address')),
            'admin_email' => Store::adminEmail(),
            ...Asked::remembered(['title', 'address', 'password']),
        ];
    }
}
