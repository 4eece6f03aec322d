<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/**
 * What the platform is asked for and the owner may change afterwards: the title, and the administrator's password; and
 * the address, which WordPress takes from wp-config.php and the database has for whoever reads only that.
 *
 * The database remembers what was done last. Only what is asked for anew is done, so the owner's later word stays.
 */
final class Asked
{
    /** Options: the title that was set last, as stored, the address that was, and the number of the password that was. */
    public const TITLE = 'urumi_title';
    public const ADDRESS = 'urumi_address';
    public const NUMBER = 'urumi_admin_number';

    /** The options that hold the address. */
    public const OF_ADDRESS = ['siteurl', 'home'];

    /**
     * What is still to be done. A store that remembers no title was made before there was this: its title is the owner's,
     * and it only has to begin to remember.
     *
     * @param array<string, ?string> $options As stored, by their names.
     * @return list<'title'|'memory'|'address'|'password'>
     */
    public static function open(array $options): array
    {
        $title = $options[self::TITLE] ?? null;
        return [
            ...($title === null ? ['memory'] : ($title === self::title() ? [] : ['title'])),
            ...(($options[self::ADDRESS] ?? null) === Store::config('address') ? [] : ['address']),
            ...((int) ($options[self::NUMBER] ?? 1) < AdminPassword::mounted()->number ? ['password'] : []),
        ];
    }

    /** @return list<'title'|'memory'|'address'|'password'> What is still to be done, for a task with WordPress. */
    public static function stillOpen(): array
    {
        $names = [self::TITLE, self::ADDRESS, self::NUMBER];
        return self::open(array_combine($names, array_map(Option::read(...), $names)));
    }

    /**
     * The title as stored. WordPress keeps it escaped for HTML, and its own escaping would leave a typed "&amp;" as it
     * is, which browsers then show as "&".
     */
    public static function title(): string
    {
        return htmlspecialchars(Store::title(), ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML401, 'UTF-8', true);
    }

    /**
     * What the database remembers when that is done.
     *
     * @param list<'title'|'memory'|'address'|'password'> $done
     * @return array<string, string>
     */
    public static function remembered(array $done): array
    {
        return [
            ...(array_intersect(['title', 'memory'], $done) ? [self::TITLE => self::title()] : []),
            ...(in_array('address', $done, true) ? [self::ADDRESS => Store::config('address')] : []),
            ...(in_array('password', $done, true) ? [self::NUMBER => (string) AdminPassword::mounted()->number] : []),
        ];
    }
}
